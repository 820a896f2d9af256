import { z } from 'zod';

/** Characters of what is said of a failure in its line. */
const SAID_LENGTH = 900;

export interface TestNumbers {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** One line of the file that test/support/tally.reporter.ts writes while the tests run. */
const tallyLine = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('test'),
    state: z.enum(['passed', 'failed', 'skipped', 'pending']),
    name: z.string(),
    errors: z.array(z.string()).default([]),
  }),
  /** A file that broke outside of its tests (an import, a hook), or an error that no test caught. */
  z.object({ kind: z.literal('error'), message: z.string().default('an error without words') }),
  z.object({ kind: z.literal('file'), name: z.string() }),
  z.object({ kind: z.literal('file-end'), name: z.string() }),
  /** The run came to its end. */
  z.object({ kind: z.literal('end') }),
]);

export interface TestRun {
  readonly numbers: TestNumbers;
  readonly ended: boolean;
  /** What failed, each in a line: its name, and what was said of it. */
  readonly failures: readonly string[];
  /** Files that had begun, and not ended, when the run was cut off. */
  readonly open: readonly string[];
}

/** Sums over all projects. A test that began and has no result counts as failed. */
export function countTests(tally: string): TestRun {
  const numbers = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const open = new Set<string>();
  let ended = false;
  for (const line of tally.split('\n').filter(Boolean)) {
    const entry = tallyLine.parse(JSON.parse(line));
    if (entry.kind === 'end') ended = true;
    else if (entry.kind === 'file') open.add(entry.name);
    else if (entry.kind === 'file-end') open.delete(entry.name);
    else if (entry.kind === 'error') failures.push(inLine('outside of the tests', entry.message));
    else if (entry.state === 'passed' || entry.state === 'skipped') numbers[entry.state] += 1;
    else failures.push(inLine(entry.name, entry.errors.join('; ') || 'it did not end'));
  }
  return {
    numbers: { ...numbers, failed: failures.length },
    ended,
    failures,
    open: ended ? [] : [...open],
  };
}

function inLine(name: string, said: string): string {
  const words = said.replaceAll(/\s+/g, ' ');
  return `${name}: ${words.length > SAID_LENGTH ? `${words.slice(0, SAID_LENGTH)}…` : words}`;
}

export function summaryLine({ passed, failed, skipped }: TestNumbers): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
