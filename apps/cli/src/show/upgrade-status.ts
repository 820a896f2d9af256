import { approvalsText, isFinal, type UpgradeView } from '#contracts';
import type { Colours } from './colours.js';
import { warningsInShort } from './plan-warnings.js';
import { age, printable, table } from './text.js';
import { changeLine, summaryLines, upgradeTitle } from './upgrade-summary.js';

/** All that a person wants to know of one upgrade. */
export function statusLines(view: UpgradeView, colours: Colours, now: Date): string[] {
  const { stepsDone, stepsTotal } = view.progress;
  return [
    colours.bold(`${view.id}  ${upgradeTitle(view)}`),
    `  release    ${view.release}`,
    `  asked for  ${view.createdAt} by ${printable(view.requestedBy)}${view.reason === undefined ? '' : `: ${printable(view.reason)}`}`,
    ...emergencyLines(view),
    ...approvalLines(view),
    ...(view.waiting === undefined ? [] : [`  waits      ${printable(view.waiting.message)}`]),
    `  steps      ${stepsDone} of ${stepsTotal}`,
    ...(isFinal(view.state) ? [`  ended      ${view.endedAt ?? view.updatedAt}`] : []),
    ...view.changes.map((change) => `  ${changeLine(change)}`),
    ...warningsInShort(view, '-o json has each').map((text) =>
      colours.warn(`  ! ${printable(text)}`),
    ),
    ...summaryLines(view, colours, now),
  ];
}

function emergencyLines({ emergency }: UpgradeView): string[] {
  if (emergency === undefined) return [];
  const { reason, advisories, skips } = emergency;
  const without = skips.length === 0 ? '' : ` (skips ${skips.join(', ')})`;
  const what = advisories.length === 0 ? '' : `${advisories.join(', ')}: `;
  return [`  emergency  ${printable(`${what}${reason}${without}`)}`];
}

function approvalLines({ approvals, state }: UpgradeView): string[] {
  if (approvals === undefined) return [];
  const { given, missing, notByRequester } = approvals;
  return [
    ...given.map(
      ({ actor, role, at, comment }) =>
        `  approved   ${at} by ${printable(actor)} (${role})${comment === undefined ? '' : `: ${printable(comment)}`}`,
    ),
    ...(missing.length === 0 || isFinal(state)
      ? []
      : [
          `  needs      ${approvalsText(missing)}${notByRequester ? ', not by who asked for it' : ''}`,
        ]),
  ];
}

/** Upgrades, a line each. */
export function upgradesTable(items: readonly UpgradeView[], now: Date): string {
  if (items.length === 0) return 'none\n';
  return table([
    ['UPGRADE', 'STATE', 'ENVIRONMENT', 'APPLICATION', 'RELEASE', 'STEPS', 'AGE', 'BY'],
    ...items.map((one) => [
      one.id,
      one.state,
      one.environment,
      one.application,
      one.release,
      `${one.progress.stepsDone}/${one.progress.stepsTotal}`,
      age(one.createdAt, now),
      one.requestedBy,
    ]),
  ]);
}
