import { SecretStore, type Driver } from '#drivers/core';

/**
 * The Kubernetes driver; its client is loaded only when it is first asked for.
 * @param secrets what clusters are reached with
 * @param helperImage of the pods that read and write data on claims
 */
export async function kubernetesDriver(
  secrets: SecretStore = new SecretStore(),
  helperImage?: string,
): Promise<Driver> {
  const { KubernetesDriver } = await import('./kubernetes-driver.js');
  return new KubernetesDriver(secrets, helperImage);
}
