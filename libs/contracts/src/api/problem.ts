import { z } from 'zod';
import { errorCodes } from '#kernel';

/** How the API says that something went wrong (RFC 9457, `application/problem+json`). */
export const problem = z.object({
  /** `https://liftlock.dev/problems/<code>` */
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  /** The request's id, as in the access log. */
  instance: z.string(),
  code: z.enum(errorCodes),
  /** Each field that is wrong: JSON Pointer (RFC 6901) into the body, `/query/<name>` or `/headers/<name>` besides. */
  errors: z
    .array(z.object({ pointer: z.string(), detail: z.string(), line: z.number().int().optional() }))
    .optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type Problem = z.infer<typeof problem>;
