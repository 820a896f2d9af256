import { approvalsText, openNow, type Plan, type Step } from '#contracts';
import type { Colours } from './colours.js';
import {
  changeText,
  compensationInOrder,
  componentChanges,
  downText,
  irreversibleSteps,
  mirroredTexts,
  withBrackets,
} from './plan-changes.js';
import { warningsInShort } from './plan-warnings.js';
import { changeLine } from './upgrade-summary.js';
import { printable } from './text.js';

/** What will change, for a person who is about to agree to it. */
export function changesText(plan: Plan, colours: Colours): string {
  const lines = [
    colours.bold(
      `${plan.environment}/${plan.application}  ${printable(plan.from)} --> ${printable(plan.to)}`,
    ),
    ...plan.changes.map((one) =>
      one.updated ? `  ${changeLine(one)}` : colours.dim(`  ${changeLine(one)}`),
    ),
    ...mirroredTexts(plan).map((text) => `  ${printable(text)}`),
    ...warningsInShort(plan).map((text) => colours.warn(`  ! ${printable(text)}`)),
  ];
  return `${lines.join('\n')}\n`;
}

/** A plan as a whole: components, hops, waves and what is down meanwhile, warnings, and the digest that names it. */
export function planText(plan: Plan, digest: string, colours: Colours): string {
  const lines = [
    colours.bold(
      `${plan.environment}/${plan.application}  ${printable(plan.from)} --> ${printable(plan.to)}`,
    ),
    ...componentChanges(plan.changes).map((one) => {
      const text = `  ${printable(changeText(one))}  ${colours.dim(printable(one.targets.join(', ')))}`;
      return one.updated ? text : colours.dim(text);
    }),
  ];
  lines.push(...mirroredTexts(plan).map((text) => `  ${printable(text)}`));
  plan.hops.forEach((hop, index) => {
    lines.push(
      colours.bold(
        `hop ${index + 1} of ${plan.hops.length}  ${printable(hop.from)} --> ${printable(hop.to)}`,
      ),
      ...hop.waves.map(
        (wave, position) =>
          `  wave ${position + 1} of ${hop.waves.length}  ${printable(downText(wave))}`,
      ),
    );
  });
  lines.push(...warningsInShort(plan).map((text) => colours.warn(`! ${printable(text)}`)));
  const [first] = irreversibleSteps(plan);
  if (first !== undefined)
    lines.push(colours.warn(`! point of no return: ${printable(first.title)}`));
  lines.push(`plan ${digest}`);
  return `${lines.join('\n')}\n`;
}

/** What it waits for before it begins. Outside of the digest: a moment later it may be another. */
export function startLines({ startConditions }: Plan, now: Date): string[] {
  const opening = openNow(startConditions, now);
  const needed = startConditions?.approvals?.needed;
  return [
    ...(needed === undefined ? [] : [`needs the approval of ${approvalsText(needed)}`]),
    ...(opening.open ? [] : [`may start: ${opening.untilText} (${opening.because})`]),
  ].map((line) => printable(line));
}

/** Every step of a plan, forward and back, in order. */
export function stepsText(plan: Plan, colours: Colours): string {
  const lines: string[] = [];
  const part = (heading: string, steps: readonly Step[], more = ''): void => {
    if (steps.length === 0) return;
    lines.push(colours.bold(heading) + colours.dim(more));
    for (const step of steps)
      lines.push(`  ${printable(step.title)} ${colours.dim(`(${step.app}, ${step.target.name})`)}`);
  };
  const { before = [], after = [], undoAfter = [], onceBack = [] } = plan.applicationHooks ?? {};
  part('prepare', plan.prepare);
  part('before the first wave', before);
  plan.hops.forEach((hop, index) => {
    const prefix = plan.hops.length > 1 ? `hop ${index + 1}: ` : '';
    hop.waves.forEach((wave, position) => {
      part(
        `${prefix}wave ${position + 1} of ${hop.waves.length}`,
        wave.lanes.flatMap((lane) => withBrackets(plan, lane)),
        wave.lanes.length > 1 ? `  ${wave.parallelism} of ${wave.lanes.length} at a time` : '',
      );
    });
    part(`${prefix}back, if it comes to that`, compensationInOrder(hop));
  });
  part('after the last wave', after);
  part('back, before any instance is', undoAfter);
  part('back, when all instances are', onceBack);
  const { bakeSeconds } = plan.policy;
  if (bakeSeconds > 0) part(`bake for ${bakeSeconds} s`, plan.bakeChecks);
  part('finalize', plan.finalize);
  return `${lines.join('\n')}\n`;
}
