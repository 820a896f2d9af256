import { SecretStore, type Driver } from '#drivers/core';

/**
 * The Docker driver; the client is loaded only when it is first asked for.
 * @param secrets what engines are reached with, other than by a Unix socket; default none
 */
export async function dockerDriver(secrets: SecretStore = new SecretStore()): Promise<Driver> {
  const { DockerDriver } = await import('./docker-driver.js');
  return new DockerDriver(secrets);
}
