import { z } from 'zod';
import type { Issue } from '#kernel';
import { pointerOf } from '../json-pointer.js';
import { policy } from '../plan/plan.js';
import { approvalNeed } from './approvals.js';
import { emergencyPath } from './emergency.js';
import { promotion } from './promotion.js';
import { WHEN_CLOSED } from './start-conditions.js';
import { freeze, maintenanceWindow } from './windows.js';

/** What holds for every upgrade of an environment: what a request may override, and what it may not. */
export const environmentPolicy = policy.partial().extend({
  /** Whose approvals an upgrade needs before it begins, and how many. No request can do without. */
  approvals: z.array(approvalNeed).min(1).optional(),
  /** Whether who asked for an upgrade may not approve it; default true where `approvals` are asked for. */
  notByRequester: z.boolean().optional(),
  /** When upgrades may begin; left out: at any time. */
  windows: z.array(maintenanceWindow).min(1).optional(),
  /** When none may begin, whatever window is open. */
  freezes: z.array(freeze).optional(),
  /** What becomes of waves that have not begun when the window closes: `finish` (default) or `pause` until the next one. */
  whenClosed: z.enum(WHEN_CLOSED).optional(),
  /** Where the same must have succeeded before; left out: nowhere. */
  promotion: promotion.optional(),
  /** Who may bring in a security release without waiting, and for what it need not wait; left out: nobody. */
  emergency: emergencyPath.optional(),
});
export type EnvironmentPolicy = z.infer<typeof environmentPolicy>;

/** What the schema cannot tell. */
export function issuesOfPolicy(policySpec: EnvironmentPolicy): Issue[] {
  const { approvals = [], approval, notByRequester, windows = [], freezes = [] } = policySpec;
  const roles = approvals.map(({ role }) => role);
  const issues = roles.flatMap((role, index): Issue[] =>
    roles.indexOf(role) === index
      ? []
      : [
          {
            pointer: pointerOf('spec', 'policy', 'approvals', index, 'role'),
            message: `${role} stands here twice: one entry with the sum`,
          },
        ],
  );
  if (notByRequester !== undefined && approvals.length === 0 && approval !== 'required')
    issues.push({
      pointer: '/spec/policy/notByRequester',
      message: 'says nothing without approvals',
    });
  if (policySpec.whenClosed !== undefined && windows.length === 0 && freezes.length === 0)
    issues.push({
      pointer: '/spec/policy/whenClosed',
      message: 'says nothing without windows or freezes',
    });
  return [...issues, ...doubled('windows', windows), ...doubled('freezes', freezes)];
}

function doubled(field: string, items: ReadonlyArray<{ readonly name: string }>): Issue[] {
  const names = items.map(({ name }) => name);
  return names.flatMap((name, index): Issue[] =>
    names.indexOf(name) === index
      ? []
      : [
          {
            pointer: pointerOf('spec', 'policy', field, index, 'name'),
            message: `${name} stands here twice`,
          },
        ],
  );
}
