import { z } from 'zod';
import { sha256 } from '../names.js';
import { role, type Role } from '../api/roles.js';

/** Roles whose approval may be asked for. `admin` may all of it, so that an admin's approval counts for any of them. */
export const APPROVAL_ROLES = ['approver', 'operator', 'admin'] as const satisfies readonly Role[];

export const approvalNeed = z.strictObject({
  role: z.enum(APPROVAL_ROLES),
  /** How many people of this role; default 1. */
  count: z.number().int().min(1).max(20).default(1),
});
export type ApprovalNeed = z.infer<typeof approvalNeed>;

/** What a plan asks for before anything is touched. */
export const plannedApprovals = z.strictObject({
  needed: z.array(approvalNeed).min(1),
  /** Whether who asked for the upgrade may not approve it. */
  notByRequester: z.boolean(),
});
export type PlannedApprovals = z.infer<typeof plannedApprovals>;

/** One person's agreement to one plan. */
export const approval = z.object({
  actor: z.string(),
  role,
  /** RFC 3339. */
  at: z.string(),
  /** Digest of the plan that it approves. */
  plan: sha256,
  comment: z.string().optional(),
});
export type Approval = z.infer<typeof approval>;

/**
 * What is still missing. Approvals count for their own role first; what admins gave beyond that fills the rest, in the order of the
 * document: so no order of approvals makes one count for less than another would.
 */
export function missingApprovals(
  needed: readonly ApprovalNeed[],
  given: ReadonlyArray<Pick<Approval, 'role'>>,
): ApprovalNeed[] {
  const left = new Map<Role, number>();
  for (const one of given) left.set(one.role, (left.get(one.role) ?? 0) + 1);
  const open = needed.map(({ role: wanted, count }) => {
    const own = Math.min(left.get(wanted) ?? 0, count);
    left.set(wanted, (left.get(wanted) ?? 0) - own);
    return { role: wanted, count: count - own };
  });
  let admins = left.get('admin') ?? 0;
  return open.flatMap(({ role: wanted, count }) => {
    const filled = Math.min(admins, count);
    admins -= filled;
    return count > filled ? [{ role: wanted, count: count - filled }] : [];
  });
}

/** `1 approver and 2 operators` */
export function approvalsText(needs: readonly ApprovalNeed[]): string {
  return needs
    .map(({ role: wanted, count }) => `${count} ${wanted}${count === 1 ? '' : 's'}`)
    .join(' and ');
}
