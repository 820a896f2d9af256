import type { Plan } from '#contracts';

/** Characters up to which a thing stands in one line. */
const SHORT = 100;

/** A plan as JSON to be reviewed: the same as the plan's own, but each step in a line, so that a change shows as the steps that it is. */
export function reviewable(plan: Plan): string {
  return `${lines(JSON.parse(JSON.stringify(plan)), '')}\n`;
}

function lines(value: unknown, indent: string): string {
  const text = JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return text;
  const isStep = 'action' in value;
  if (text.length <= SHORT || isStep) return text;
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value.map((item) => `${deeper}${lines(item, deeper)}`);
    return `[\n${items.join(',\n')}\n${indent}]`;
  }
  const entries = Object.entries(value).map(
    ([key, item]) => `${deeper}${JSON.stringify(key)}: ${lines(item, deeper)}`,
  );
  return `{\n${entries.join(',\n')}\n${indent}}`;
}
