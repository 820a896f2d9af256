import { diff } from 'node:util';

/** Lines around a change that are shown with it. */
const CONTEXT = 3;

/** The difference of two texts as `diff -u` shows it, without its line numbers; nothing when they are the same. */
export function lineDiff(before: string, after: string, from: string, to: string): string {
  if (before === after) return '';
  // of node's diff: 1 is in the first only, -1 in the second only
  const entries = diff(linesOf(before), linesOf(after));
  const isNear = entries.map((_, index) =>
    entries.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(([kind]) => kind !== 0),
  );
  const lines = entries.flatMap(([kind, line], index): string[] => {
    if (isNear[index] !== true) return isNear[index - 1] === true ? ['@@'] : [];
    return [`${kind === 0 ? ' ' : kind > 0 ? '-' : '+'}${line}`];
  });
  return `--- ${from}\n+++ ${to}\n${lines.join('\n')}\n`;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.trimEnd().split('\n');
}
