import type { z } from 'zod';
import { stepServiceEnv, withSecretSources } from '#service';

export const env = withSecretSources(stepServiceEnv);
export type Env = z.infer<typeof env>;
