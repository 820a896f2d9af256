import { z } from 'zod';
import { name, seconds } from '../names.js';

/** An upgrade only goes on to an environment when one of the same plan shape has succeeded in another. */
export const promotion = z.strictObject({
  /** The environment where it must have succeeded. */
  from: name,
  /** Seconds that must have passed since it succeeded there; default: none. They are waited for. */
  soakSeconds: seconds.optional(),
});
export type Promotion = z.infer<typeof promotion>;
