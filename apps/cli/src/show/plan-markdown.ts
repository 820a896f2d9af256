import type { Plan } from '#contracts';
import {
  changeText,
  componentChanges,
  compensationInOrder,
  downText,
  mirroredTexts,
  withBrackets,
} from './plan-changes.js';
import { printable } from './text.js';

/** A plan as a page for a merge request or a ticket. */
export function planMarkdown(plan: Plan, digest: string): string {
  const lines = [
    `# ${plan.environment}/${plan.application}: ${text(plan.from)} → ${text(plan.to)}`,
    '',
    `Release \`${plan.release}\`, plan \`${digest}\``,
    '',
    '| component | targets |',
    '| --- | --- |',
    ...componentChanges(plan.changes).map(
      (one) => `| ${text(changeText(one))} | ${text(one.targets.join(', '))} |`,
    ),
  ];
  const mirrored = mirroredTexts(plan);
  if (mirrored.length > 0)
    lines.push('', '## Images', '', ...mirrored.map((one) => `- ${text(one)}`));
  if (plan.warnings.length > 0)
    lines.push('', '## Warnings', '', ...plan.warnings.map((warning) => `- ${text(warning)}`));
  const steps = (heading: string, titles: readonly string[]): void => {
    if (titles.length === 0) return;
    lines.push('', `### ${heading}`, '', ...titles.map((title, i) => `${i + 1}. ${text(title)}`));
  };
  const { before = [], after = [], undoAfter = [], onceBack = [] } = plan.applicationHooks ?? {};
  const titlesOf = (all: ReadonlyArray<{ readonly title: string }>): string[] =>
    all.map(({ title }) => title);
  lines.push('', '## Forward');
  steps('Prepare', titlesOf(plan.prepare));
  steps('Before the first wave', titlesOf(before));
  plan.hops.forEach((hop, index) =>
    hop.waves.forEach((wave, position) =>
      steps(
        `Hop ${index + 1} (${text(hop.from)} → ${text(hop.to)}), wave ${position + 1} of ${hop.waves.length}: ${text(downText(wave))}`,
        wave.lanes.flatMap((lane) => withBrackets(plan, lane).map(({ title }) => title)),
      ),
    ),
  );
  steps('After the last wave', titlesOf(after));
  steps('Finalize', titlesOf(plan.finalize));
  lines.push('', '## Back');
  steps('Before any instance goes back', titlesOf(undoAfter));
  for (const hop of plan.hops.toReversed())
    steps(
      `${text(hop.to)} → ${text(hop.from)}`,
      compensationInOrder(hop).map(({ title }) => title),
    );
  steps('When all instances are back', titlesOf(onceBack));
  return `${lines.join('\n')}\n`;
}

/** What would be markup is shown as it is. */
function text(value: string): string {
  return printable(value).replace(/[\\`*_{}[\]<>|#]/g, (found) => `\\${found}`);
}
