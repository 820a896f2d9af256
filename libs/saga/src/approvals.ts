import {
  approvalsText,
  missingApprovals,
  type Approval,
  type Plan,
  type PlannedApprovals,
} from '#contracts';
import type { Refusal } from './refusal.js';
import type { SagaMessage } from './messages.js';
import type { Turn } from './turn.js';

type Approve = Extract<SagaMessage, { type: 'approve' }>;

/** What a plan asks for: its environment's list, or, where only `approval: required` is said, one approver. */
export function approvalsOf(plan: Plan): PlannedApprovals | undefined {
  const listed = plan.startConditions?.approvals;
  if (listed !== undefined || plan.policy.approval === 'none') return listed;
  return { needed: [{ role: 'approver', count: 1 }], notByRequester: false };
}

/** Takes down one person's approval; with the last one the upgrade goes on. */
export function approve(turn: Turn, decision: Approve): Refusal | undefined {
  const { saga, index } = turn;
  const asked = approvalsOf(index.plan);
  if (saga.state !== 'awaiting_approval' || asked === undefined)
    return {
      code: 'conflict',
      message: `it does not wait for approval; it is ${saga.state}`,
    };
  const given = saga.approvals ?? [];
  const refusal = refusalOf(decision, asked, given);
  if (refusal !== undefined) return refusal;
  const approval: Approval = {
    actor: decision.actor,
    role: decision.role,
    at: decision.at,
    plan: decision.planDigest,
    ...(decision.comment === undefined ? {} : { comment: decision.comment }),
  };
  saga.approvals = [...given, approval];
  const missing = missingApprovals(asked.needed, saga.approvals);
  turn.emit('approval-given', { ...approval, missing });
  if (missing.length === 0) {
    turn.moveTo('scheduled');
    turn.commands.push({ type: 'admit' });
  }
  return undefined;
}

function refusalOf(
  { actor, role, agreedPlan, planDigest, byRequester }: Approve,
  { needed, notByRequester }: PlannedApprovals,
  given: readonly Approval[],
): Refusal | undefined {
  const roles = needed.map((one) => one.role);
  if (role !== 'admin' && !roles.some((one) => one === role))
    return {
      code: 'forbidden',
      message: `the token's role is ${role}: the approvals are those of ${approvalsText(needed)}`,
    };
  if (notByRequester && byRequester)
    return {
      code: 'forbidden',
      message: `${actor} asked for it: somebody else must approve (notByRequester)`,
    };
  if (agreedPlan !== undefined && agreedPlan !== planDigest)
    return {
      code: 'conflict',
      message: `its plan is ${planDigest}, not ${agreedPlan}: look at its plan again`,
    };
  const before = given.find((one) => one.actor === actor);
  if (before !== undefined)
    return {
      code: 'conflict',
      message: `${actor} approved it at ${before.at} already: one person counts once`,
    };
  const missing = missingApprovals(needed, given);
  const counts = missingApprovals(needed, [...given, { role }]);
  if (sum(counts) === sum(missing))
    return {
      code: 'conflict',
      message: `all approvals of role ${role} are there: what is missing is ${approvalsText(missing)}`,
    };
  return undefined;
}

function sum(needs: PlannedApprovals['needed']): number {
  return needs.reduce((total, { count }) => total + count, 0);
}
