import type { z } from 'zod';
import { LOGIN_VARIABLES } from '#oci';
import { optionalVariables, stepServiceEnv, withSecretSources } from '#service';

/** Besides: how registries are signed in to where no document says it, and which proxies lead to them. */
export const env = withSecretSources(stepServiceEnv.extend(optionalVariables(LOGIN_VARIABLES)));
export type Env = z.infer<typeof env>;
