import type { DriverName } from '#contracts';
import { DriverRegistry, type DriverLoader, type SecretStore } from '#drivers/core';

const loadersOf = (
  secrets: SecretStore,
  helperImage?: string,
): Readonly<Record<DriverName, DriverLoader>> => ({
  docker: async () => (await import('#drivers/docker')).dockerDriver(secrets),
  kubernetes: async () =>
    (await import('#drivers/kubernetes')).kubernetesDriver(secrets, helperImage),
  model: async () => (await import('#drivers/model')).modelDriver(),
});

/**
 * The drivers that LIFTLOCK_DRIVERS names; none of their code is loaded before a step asks for it.
 * @param helperImage of the pods that read and write data in a cluster
 */
export function loadDrivers(
  names: readonly DriverName[],
  secrets: SecretStore,
  helperImage?: string,
): DriverRegistry {
  const loaders = loadersOf(secrets, helperImage);
  return new DriverRegistry(Object.fromEntries(names.map((name) => [name, loaders[name]])));
}
