import type { HistoryEvent } from '#contracts';
import { median } from '../support/report.js';

/** Where a step's time goes besides its action, in milliseconds. */
export interface Overhead {
  /** From the coordinator's commit of the dispatch to the beginning of the attempt in its service. */
  readonly toStart: number;
  /** From the attempt's beginning to its end, less the action itself. */
  readonly around: number;
  /** From the attempt's end to the coordinator's commit of the result. */
  readonly toResult: number;
  readonly total: number;
}

export function overheads(history: readonly HistoryEvent[]): Overhead[] {
  const dispatched = new Map<string, number>();
  const found: Overhead[] = [];
  for (const event of history) {
    const key = `${String(event.data.step)} ${String(event.data.token)}`;
    if (event.type === 'step-dispatched') dispatched.set(key, Date.parse(event.at));
    const from = dispatched.get(key);
    const { startedAt, endedAt, actionMs } = event.data;
    if (event.type !== 'step-succeeded' || from === undefined) continue;
    if (
      typeof startedAt !== 'string' ||
      typeof endedAt !== 'string' ||
      typeof actionMs !== 'number'
    )
      continue;
    const toStart = Date.parse(startedAt) - from;
    const around = Date.parse(endedAt) - Date.parse(startedAt) - actionMs;
    const toResult = Date.parse(event.at) - Date.parse(endedAt);
    found.push({ toStart, around, toResult, total: toStart + around + toResult });
  }
  return found;
}

export function medianOf(all: readonly Overhead[], part: keyof Overhead): number {
  return median(all.map((one) => one[part]));
}
