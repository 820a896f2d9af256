import { z } from 'zod';
import { serviceEnv } from '#service';

export const env = serviceEnv.extend({
  /** An admin's bearer token that exists from the first start; at least 16 characters. */
  LIFTLOCK_BOOTSTRAP_TOKEN: z.string().min(16).max(500).optional(),
  /** Event streams that may be open at the same time. */
  LIFTLOCK_MAX_STREAMS: z.coerce.number().int().min(1).max(100_000).default(256),
});
export type Env = z.infer<typeof env>;
