import { LOGIN_VARIABLES, loginSettings, type RegistriesOptions } from '#oci';
import type { Env } from './env.js';

/** How the planner reaches registries: as signed in on its machine, by way of its proxies. */
export function registriesOf(env: Env): RegistriesOptions {
  const insecure = env.LIFTLOCK_INSECURE_REGISTRIES;
  return {
    settings: Object.fromEntries(insecure.map((name) => [name, { insecure: true }])),
    ...loginSettings(Object.fromEntries(LOGIN_VARIABLES.map((name) => [name, env[name]]))),
  };
}
