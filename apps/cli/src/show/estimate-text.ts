import type { PlanEstimate } from '#contracts';
import { printable } from './text.js';

/** `takes about 4 min, from 6 earlier runs`, or that nobody can tell yet; and what its promotion lacks, in a line of its own. */
export function estimateText(estimate: PlanEstimate): string {
  const { promotion } = estimate;
  if (promotion === undefined) return timeText(estimate);
  const word = { holds: 'promotion', waits: 'promotion waits', missing: 'cannot begin' };
  return `${word[promotion.outcome]}: ${printable(promotion.message)}\n${timeText(estimate)}`;
}

function timeText({ seconds, runs, steps, unknownSteps }: PlanEstimate): string {
  if (seconds === undefined) return 'no earlier run to estimate from';
  const from = `from ${runs} earlier ${runs === 1 ? 'run' : 'runs'}`;
  const without =
    unknownSteps === 0 ? '' : `; ${unknownSteps} of ${steps} steps are new, and not in it`;
  return `takes about ${roughly(seconds)}, ${from}${without}`;
}

function roughly(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
