import { SecretStore, type Driver } from '#drivers/core';

/**
 * The Kubernetes driver; its client is loaded only when it is first asked for.
 * @param secrets what clusters are reached with
 */
export async function kubernetesDriver(secrets: SecretStore = new SecretStore()): Promise<Driver> {
  const { KubernetesDriver } = await import('./kubernetes-driver.js');
  return new KubernetesDriver(secrets);
}
