import type { LabelSelector } from './objects.js';

/** A selector as queries take it. */
export function selectorText({ matchLabels, matchExpressions }: LabelSelector): string {
  const equal = Object.entries(matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const others = (matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'Exists':
        return key;
      case 'DoesNotExist':
        return `!${key}`;
      default:
        return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
    }
  });
  return [...equal, ...others].join(',');
}
