import { z } from 'zod';
import type { Role } from '../api/roles.js';

/** Roles that an environment may let take the emergency path. */
export const EMERGENCY_ROLES = [
  'requester',
  'operator',
  'admin',
] as const satisfies readonly Role[];

/** What an emergency may go without: never approvals. */
export const SKIPPABLE = ['windows', 'freezes', 'promotion'] as const;
const skips = z.array(z.enum(SKIPPABLE));

/** How a security release comes in that cannot wait. */
export const emergencyPath = z.strictObject({
  /** Whose token may ask for it; `admin` may in any case. */
  role: z.enum(EMERGENCY_ROLES),
  /** What such an upgrade does not wait for; default `windows` and `freezes`. */
  skips: skips.min(1).default(['windows', 'freezes']),
});
export type EmergencyPath = z.infer<typeof emergencyPath>;

/** In a plan that was asked for as an emergency. */
export const plannedEmergency = z.strictObject({
  /** Of the release. */
  advisories: z.array(z.string()).min(1),
  /** What its environment asks for otherwise, and this plan goes without. */
  skips,
});
export type PlannedEmergency = z.infer<typeof plannedEmergency>;

/** What a release says that mends a weakness. */
export const security = z.strictObject({
  /** What it mends: `CVE-2026-12345`, `GHSA-…`. */
  advisories: z
    .array(
      z
        .string()
        .regex(
          /^[A-Z][A-Za-z0-9]*[-:][A-Za-z0-9:._-]{1,90}$/,
          'must be the name of an advisory, such as CVE-2026-12345',
        ),
    )
    .min(1)
    .max(100),
});
export type Security = z.infer<typeof security>;

/** Why documents do not let an upgrade be an emergency, whoever asks; nothing: they do. */
export function emergencyProblem(
  environment: { readonly name: string; readonly path: EmergencyPath | undefined },
  release: { readonly name: string; readonly security: Security | undefined },
): string | undefined {
  if (environment.path === undefined)
    return `${environment.name} has no emergency path: its spec.policy.emergency would say who may take it; ask without emergency`;
  if (release.security === undefined)
    return `${release.name} is not a security release: its spec.security.advisories would say what it mends; ask without emergency`;
  return undefined;
}
