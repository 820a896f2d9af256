import { z } from 'zod';
import { stepServiceEnv, withSecretSources } from '#service';

/** LIFTLOCK_DATA is the repository: replicas of one site share it. */
export const env = withSecretSources(
  stepServiceEnv.extend({
    /**
     * Bytes of an archive for each byte of data, where no earlier backup of the instance tells: what a snapshot must find free.
     * Default 1: as if nothing could be packed.
     */
    LIFTLOCK_BACKUP_RATIO: z.coerce.number().min(0.01).max(2).default(1),
  }),
);
export type Env = z.infer<typeof env>;
