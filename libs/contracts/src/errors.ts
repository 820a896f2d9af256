import { z } from 'zod';
import { errorCodes } from '#kernel';

export const issueSchema = z.object({
  pointer: z.string(),
  message: z.string(),
  line: z.number().int().min(1).optional(),
});

/** An error as it travels in messages and is kept in the database. */
export const errorShape = z.object({
  code: z.enum(errorCodes),
  message: z.string(),
  retryable: z.boolean(),
  retryAfterMs: z.number().min(0).optional(),
  issues: z.array(issueSchema).optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
