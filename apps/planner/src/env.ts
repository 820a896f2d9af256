import { z } from 'zod';
import { LOGIN_VARIABLES } from '#oci';
import { optionalVariables, serviceEnv } from '#service';

export const env = serviceEnv.extend({
  // how registries are signed in to that tags are looked up in, and which proxies lead to them
  ...optionalVariables(LOGIN_VARIABLES),
  /** Registries, with commas between, whose certificate is not checked and that may speak plain HTTP: `127.0.0.1:5000`. */
  LIFTLOCK_INSECURE_REGISTRIES: z
    .string()
    .default('')
    .transform((text) => text.split(',').map((one) => one.trim()))
    .transform((names) => names.filter((one) => one !== '')),
});
export type Env = z.infer<typeof env>;
