import { z } from 'zod';
import { serviceEnv } from '#service';

export const env = serviceEnv.extend({
  /** Milliseconds between two looks for what has no answer. */
  LIFTLOCK_SWEEP_MS: z.coerce.number().int().min(100).max(600_000).default(5_000),
});
export type Env = z.infer<typeof env>;
