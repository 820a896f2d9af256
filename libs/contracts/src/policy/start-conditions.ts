import { z } from 'zod';
import { plannedApprovals } from './approvals.js';
import { plannedEmergency } from './emergency.js';
import { promotion } from './promotion.js';
import { freeze, maintenanceWindow } from './windows.js';

export const WHEN_CLOSED = ['finish', 'pause'] as const;

/** What must be so before an upgrade may begin, as its environment's policy says. Not there: nothing of it. */
export const startConditions = z.strictObject({
  approvals: plannedApprovals.optional(),
  windows: z.array(maintenanceWindow).optional(),
  freezes: z.array(freeze).optional(),
  /** `pause`: waves that have not begun when the window closes wait for the next one. Left out: they are gone through with. */
  whenClosed: z.enum(WHEN_CLOSED).optional(),
  promotion: promotion.optional(),
  /** It was asked for as an emergency: what it skips does not stand here. */
  emergency: plannedEmergency.optional(),
});
export type StartConditions = z.infer<typeof startConditions>;
