import { leftOutText, type Change, type UpgradeView } from '#contracts';
import type { Colours } from './colours.js';
import { duration, printable } from './text.js';

/** `web@host 1.0 --> 2.0`, or that it stays as it is. */
export function changeLine({ instance, from, to, updated, leftOut }: Change): string {
  return updated
    ? `${instance}  ${printable(from)} --> ${printable(to)}`
    : `${instance}  ${printable(from)} (${leftOut === true ? 'left out' : 'not updated'})`;
}

/** `demo/guestbook  1.0 --> 2.0` */
export function upgradeTitle(view: UpgradeView): string {
  const versions =
    view.from === undefined || view.to === undefined
      ? view.release
      : `${printable(view.from)} --> ${printable(view.to)}`;
  return `${view.environment}/${view.application}  ${versions}`;
}

/** How it ended, or what it waits for, and what a person can do then. */
export function summaryLines(view: UpgradeView, colours: Colours, now: Date): string[] {
  const end = view.endedAt === undefined ? now.getTime() : Date.parse(view.endedAt);
  const took = colours.dim(`(${duration(end - Date.parse(view.createdAt))})`);
  const why =
    view.message === undefined
      ? view.error === undefined
        ? ''
        : `: ${view.error.code}: ${printable(view.error.message)}`
      : `: ${printable(view.message)}`;
  const issues = (view.error?.issues ?? []).map(
    ({ pointer, message }) => `    ${pointer}: ${printable(message)}`,
  );
  switch (view.state) {
    case 'succeeded': {
      const out = leftOutText(view.changes);
      const without = out === undefined ? [] : [`  left out: ${out}`];
      return [`${colours.good(`succeeded: ${upgradeTitle(view)}`)} ${took}`, ...without];
    }
    case 'partially_succeeded':
      return [`${colours.warn(`partially succeeded${why}`)} ${took}`];
    case 'rolled_back':
      return [`${colours.warn(`rolled back${why}`)} ${took}`];
    case 'failed':
    case 'rejected':
    case 'cancelled':
      return [`${colours.bad(`${view.state}${why}`)} ${took}`, ...issues];
    case 'needs_attention':
      return attentionLines(view, colours, why);
    default:
      return [
        `${view.state.replaceAll('_', ' ')}${why}: ${view.progress.stepsDone} of ${view.progress.stepsTotal} steps`,
      ];
  }
}

function attentionLines(view: UpgradeView, colours: Colours, why: string): string[] {
  const { id, attention } = view;
  const [first] = attention;
  const step = attention.length > 1 ? ` --step ${first?.step ?? 'STEP'}` : '';
  return [
    colours.warn(`needs attention${why}`),
    ...attention.map(
      ({ step: waiting, error }) =>
        `    ${waiting}${error === undefined ? '' : `: ${error.code}: ${printable(error.message)}`}`,
    ),
    `  try again:          liftlock retry ${id}${step}`,
    `  go on without it:   liftlock skip ${id}${step} --reason WHY`,
    `  say what it did:    liftlock resolve ${id}${step} --outcome succeeded|failed --reason WHY`,
    // what stopped on its way back can only go on that way
    ...(attention.some((one) => one.step.includes('/back/'))
      ? []
      : [`  take it all back:   liftlock rollback ${id}`]),
  ];
}
