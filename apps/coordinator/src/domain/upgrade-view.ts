import { missingApprovals, type Plan, type UpgradeRequest, type UpgradeView } from '#contracts';
import { approvalsOf, type Saga } from '#saga';

/** What is stored of an upgrade. */
export interface UpgradeRecord {
  readonly id: string;
  readonly environment: string;
  readonly application: string;
  readonly release: string;
  readonly version: number;
  readonly saga: Saga;
  readonly request: UpgradeRequest;
  readonly requestedBy: string;
  readonly planDigest: string | undefined;
  readonly planShape: string | undefined;
  readonly message: string | undefined;
  readonly lastSequence: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly endedAt: Date | undefined;
}

/** Where it may wait for a moment, and then goes on by itself. */
const WAITING: readonly Saga['state'][] = ['scheduled', 'paused'];

/** An upgrade as people and programs see it. */
export function viewOf(record: UpgradeRecord, plan: Plan | undefined): UpgradeView {
  const { saga } = record;
  return {
    id: record.id,
    environment: record.environment,
    application: record.application,
    release: record.release,
    state: saga.state,
    version: record.version,
    requestedBy: record.requestedBy,
    createdAt: record.createdAt.toISOString(),
    updatedAt: record.updatedAt.toISOString(),
    attention: saga.attention.map((step) => {
      const error = saga.steps[step]?.error;
      return { step, ...(error === undefined ? {} : { error: { ...error, issues: undefined } }) };
    }),
    progress: progressOf(saga, plan),
    changes: plan?.changes ?? [],
    warnings: plan?.warnings ?? [],
    ...approvalsIn(saga, plan),
    ...emergencyIn(record, plan),
    ...(saga.waiting === undefined || !WAITING.includes(saga.state)
      ? {}
      : { waiting: saga.waiting }),
    ...(plan === undefined ? {} : { from: plan.from, to: plan.to }),
    ...(record.planDigest === undefined ? {} : { planDigest: record.planDigest }),
    ...(record.planShape === undefined ? {} : { planShape: record.planShape }),
    ...(record.request.reason === undefined ? {} : { reason: record.request.reason }),
    ...(record.request.continues === undefined ? {} : { continues: record.request.continues }),
    ...(Object.keys(record.request.policy).length === 0 ? {} : { policy: record.request.policy }),
    ...(record.request.exclude === undefined ? {} : { exclude: record.request.exclude }),
    ...(record.endedAt === undefined ? {} : { endedAt: record.endedAt.toISOString() }),
    ...(record.message === undefined ? {} : { message: record.message }),
    ...(saga.error === undefined
      ? {}
      : { error: { ...saga.error, issues: saga.error.issues?.map((issue) => ({ ...issue })) } }),
  };
}

function approvalsIn(saga: Saga, plan: Plan | undefined): Pick<UpgradeView, 'approvals'> {
  const asked = plan === undefined ? undefined : approvalsOf(plan);
  if (asked === undefined) return {};
  const given = saga.approvals ?? [];
  return { approvals: { ...asked, given, missing: missingApprovals(asked.needed, given) } };
}

function emergencyIn({ request }: UpgradeRecord, plan?: Plan): Pick<UpgradeView, 'emergency'> {
  if (request.emergency === undefined) return {};
  const { advisories = [], skips = [] } = plan?.startConditions?.emergency ?? {};
  return { emergency: { reason: request.emergency.reason, advisories, skips } };
}

/** Forward steps, of the plan and done; the way back does not count. */
function progressOf(saga: Saga, plan: Plan | undefined): UpgradeView['progress'] {
  if (plan === undefined) return { stepsTotal: 0, stepsDone: 0 };
  const { before = [], after = [] } = plan.applicationHooks ?? {};
  const steps = [
    ...plan.prepare,
    ...before,
    ...after,
    ...plan.hops.flatMap((hop) =>
      hop.waves.flatMap((wave) => wave.lanes.flatMap((lane) => lane.steps)),
    ),
    ...plan.finalize,
  ];
  const done = steps.filter(({ id }) =>
    ['succeeded', 'skipped'].includes(saga.steps[id]?.status ?? ''),
  );
  return { stepsTotal: steps.length, stepsDone: done.length };
}
