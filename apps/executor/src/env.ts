import { z } from 'zod';
import { stepServiceEnv, withSecretSources } from '#service';

export const env = withSecretSources(
  stepServiceEnv.extend({
    /** Where the executors' jobs are; may lose all of it at any time. */
    REDIS_URL: z.url({ protocol: /^rediss?$/ }),
  }),
);
export type Env = z.infer<typeof env>;
