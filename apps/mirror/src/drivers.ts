import type { DriverName } from '#contracts';
import { DriverRegistry, type DriverLoader, type SecretStore } from '#drivers/core';

const loadersOf = (secrets: SecretStore): Readonly<Record<DriverName, DriverLoader>> => ({
  docker: async () => (await import('#drivers/docker')).dockerDriver(secrets),
  kubernetes: async () => (await import('#drivers/kubernetes')).kubernetesDriver(secrets),
  model: async () => (await import('#drivers/model')).modelDriver(),
});

/** The drivers that LIFTLOCK_DRIVERS names; none of their code is loaded before a step asks for it. */
export function loadDrivers(names: readonly DriverName[], secrets: SecretStore): DriverRegistry {
  const loaders = loadersOf(secrets);
  return new DriverRegistry(Object.fromEntries(names.map((name) => [name, loaders[name]])));
}
