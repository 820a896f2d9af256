import { leftOutText, type Plan, type Step } from '#contracts';
import { compensationInOrder, downText, withBrackets } from './plan-changes.js';
import { commandsOf, remarkOf } from './step-commands.js';
import { printable } from './text.js';

/** What must be there before the first command. */
function needsOf({ targets }: Plan): string[] {
  const drivers = new Set(targets.map(({ driver }) => driver));
  const engine =
    'Set BACKUPS to a folder of the target’s host, and HELPER to an image with sh, find and GNU tar that is there (debian).';
  const cluster =
    'It takes kubectl, with contexts and credentials that let you in, and jq. Set BACKUPS to a folder where you type, HELPER to an image with sh, find and GNU tar that nodes can pull (debian), and export each LIFTLOCK_SECRET_… that a command names.';
  if (!drivers.has('kubernetes')) return [engine];
  return drivers.size === 1 ? [cluster] : [engine, cluster];
}

/** A plan that a person can follow by hand when Liftlock is dead: every command, forward and back. */
export function planRunbook(plan: Plan, digest: string): string {
  const out = leftOutText(plan.changes);
  const lines = [
    `# Runbook: ${plan.environment}/${plan.application} ${printable(plan.from)} --> ${printable(plan.to)}`,
    '',
    `Plan ${digest}.`,
    ...(out === undefined ? [] : [`Left out, stays as it is: ${out}.`]),
    'Go from top to bottom. When a step fails, stop, and go to "Back": begin with the hop that you are in.',
    'The commands are for bash.',
    ...needsOf(plan),
  ];
  const part = (heading: string, steps: readonly Step[]): void => {
    if (steps.length === 0) return;
    lines.push('', `## ${printable(heading)}`);
    steps.forEach((step, index) => {
      const remark = remarkOf(step);
      lines.push(
        '',
        `${index + 1}. ${printable(step.title)} (${step.target.name})${remark === undefined ? '' : `: ${remark}`}`,
        '',
        '   ```sh',
        ...commandsOf(step).flatMap((command) =>
          printable(command)
            .split('\n')
            .map((line) => `   ${line}`),
        ),
        '   ```',
      );
    });
  };
  const { before = [], after = [], undoAfter = [], onceBack = [] } = plan.applicationHooks ?? {};
  part('Prepare', plan.prepare);
  part('Before the first wave', before);
  plan.hops.forEach((hop, index) =>
    hop.waves.forEach((wave, position) =>
      wave.lanes.forEach(({ id, instance, steps }) =>
        part(
          `Hop ${index + 1} (${hop.from} --> ${hop.to}), wave ${position + 1} of ${hop.waves.length}, ${instance}; ${downText(wave)}`,
          withBrackets(plan, { id, steps }),
        ),
      ),
    ),
  );
  part('After the last wave', after);
  part('Finalize: only when all is well, behind it there is no way back', plan.finalize);
  part('Back, before any instance is: of what was begun', undoAfter);
  for (const [index, hop] of [...plan.hops.entries()].toReversed())
    part(
      `Back from hop ${index + 1}, ${hop.to} --> ${hop.from}: of what was begun`,
      compensationInOrder(hop),
    );
  part('Back, when all instances are: of what was begun', onceBack);
  return `${lines.join('\n')}\n`;
}
