import { z } from 'zod';

export interface TestNumbers {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** One line of the file that test/support/tally.reporter.ts writes while the tests run. */
const tallyLine = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('test'), state: z.enum(['passed', 'failed', 'skipped', 'pending']) }),
  /** A file that broke outside of its tests (an import, a hook), or an error that no test caught. */
  z.object({ kind: z.literal('error') }),
  /** The run came to its end. */
  z.object({ kind: z.literal('end') }),
]);

/** Sums over all projects. A test that began and has no result counts as failed. */
export function countTests(tally: string): { numbers: TestNumbers; ended: boolean } {
  const numbers = { passed: 0, failed: 0, skipped: 0 };
  let ended = false;
  for (const line of tally.split('\n').filter(Boolean)) {
    const entry = tallyLine.parse(JSON.parse(line));
    if (entry.kind === 'end') ended = true;
    else if (entry.kind === 'error' || entry.state === 'pending') numbers.failed += 1;
    else numbers[entry.state] += 1;
  }
  return { numbers, ended };
}

export function summaryLine({ passed, failed, skipped }: TestNumbers): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
