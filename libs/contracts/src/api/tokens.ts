import { z } from 'zod';
import { dottedName } from '../names.js';
import { role } from './roles.js';

/** Body of `POST /v1/tokens`. The name is who acts, in every history and audit: it is free again once the token is revoked. */
export const tokenRequest = z.strictObject({
  name: dottedName,
  role,
  /** Seconds for which it is good; left out: until it is revoked. */
  expiresInSeconds: z
    .number()
    .int()
    .min(1)
    .max(10 * 366 * 24 * 3600)
    .optional(),
});
export type TokenRequest = z.infer<typeof tokenRequest>;

export const tokenView = z.object({
  id: z.string(),
  name: z.string(),
  role,
  createdAt: z.string(),
  createdBy: z.string(),
  expiresAt: z.string().optional(),
});
export type TokenView = z.infer<typeof tokenView>;

/** The only answer that ever holds the token itself. */
export const tokenCreated = tokenView.extend({ token: z.string() });
export type TokenCreated = z.infer<typeof tokenCreated>;

/** Who did what, when, and what came of it. */
export const auditEntry = z.object({
  id: z.number().int(),
  at: z.string(),
  actor: z.string(),
  role,
  method: z.string(),
  path: z.string(),
  request: z.string(),
  /** HTTP status; not there: the gateway died before it answered. */
  status: z.number().int().optional(),
  code: z.string().optional(),
});
export type AuditEntry = z.infer<typeof auditEntry>;
