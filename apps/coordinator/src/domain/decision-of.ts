import type { QueryData } from '#contracts';
import type { SagaMessage } from '#saga';
import type { UpgradeRecord } from './upgrade-view.js';

/** A person's decision as the engine takes it: with what the engine cannot know of the upgrade, its plan's digest and who asked for it. */
export function decisionOf(
  asked: QueryData<'act-on-upgrade'>,
  record: UpgradeRecord,
  now: Date,
): SagaMessage {
  const { actor, action, request } = asked;
  const common = { actor, ...(request.reason === undefined ? {} : { reason: request.reason }) };
  const about = request.step === undefined ? common : { ...common, step: request.step };
  switch (action) {
    case 'resolve':
      return { type: 'resolve', ...about, outcome: request.outcome };
    case 'approve':
      return {
        ...common,
        type: 'approve',
        role: asked.role,
        at: now.toISOString(),
        // without a plan it does not wait for approval, and the engine says so
        planDigest: record.planDigest ?? '',
        agreedPlan: request.plan,
        byRequester: actor === record.requestedBy,
        comment: request.comment ?? request.reason,
      };
    default:
      return { type: action, ...about };
  }
}
