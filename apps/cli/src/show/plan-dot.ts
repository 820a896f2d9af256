import type { Plan, Step } from '#contracts';
import { printable } from './text.js';

/** A plan as a graph for Graphviz: hops and waves as boxes, lanes as nodes, one wave after another; rounded, what is done once around them; dashed, what is left out. */
export function planDot(plan: Plan): string {
  const lines = [
    'digraph plan {',
    '  rankdir=LR;',
    '  node [shape=box, fontname="sans-serif"];',
    `  label=${quoted(`${plan.environment}/${plan.application} ${plan.from} --> ${plan.to}`)};`,
    '  start [shape=circle, label=""];',
    '  end [shape=doublecircle, label=""];',
  ];
  let before = ['start'];
  const once = (steps: readonly Step[] = []): void => {
    for (const { id, title } of steps) {
      lines.push(`  ${quoted(id)} [style=rounded, label=${quoted(title)}];`);
      lines.push(...edges(before, [quoted(id)], id));
      before = [quoted(id)];
    }
  };
  once(plan.applicationHooks?.before);
  plan.hops.forEach((hop, index) => {
    lines.push(
      `  subgraph cluster_${index} {`,
      `    label=${quoted(`${hop.from} --> ${hop.to}`)};`,
    );
    for (const wave of hop.waves)
      for (const { id, instance, from, to } of wave.lanes)
        lines.push(`    ${quoted(id)} [label=${quoted(`${instance}\n${from} --> ${to}`)}];`);
    lines.push('  }');
    for (const wave of hop.waves) {
      const lanes = wave.lanes.map(({ id }) => quoted(id));
      lines.push(...edges(before, lanes, wave.id));
      before = lanes;
    }
  });
  once(plan.applicationHooks?.after);
  const out = plan.changes.filter(({ leftOut }) => leftOut === true);
  if (out.length > 0) {
    lines.push('  subgraph cluster_left_out {', '    label="left out";', '    style=dashed;');
    for (const { instance, from } of out)
      lines.push(
        `    ${quoted(`left out ${instance}`)} [style=dashed, label=${quoted(`${instance}\n${from}`)}];`,
      );
    lines.push('  }');
  }
  lines.push(...edges(before, ['end'], 'end'), '}');
  return `${lines.join('\n')}\n`;
}

/** Every lane of a wave waits for every lane of the one before: by way of one point, where that is fewer edges. */
function edges(before: readonly string[], after: readonly string[], wave: string): string[] {
  if (before.length === 1 || after.length === 1)
    return before.flatMap((from) => after.map((to) => `  ${from} -> ${to};`));
  const point = quoted(`before ${wave}`);
  return [
    `  ${point} [shape=point];`,
    ...before.map((from) => `  ${from} -> ${point};`),
    ...after.map((to) => `  ${point} -> ${to};`),
  ];
}

function quoted(text: string): string {
  return `"${printable(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
