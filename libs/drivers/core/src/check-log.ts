import type { Check } from '#contracts';
import { failure, seen, type Seen } from './check-look.js';

type LogCheck = Extract<Check, { type: 'log' }>;

/** Most of a line that is matched, in characters: patterns come from documents. */
const LINE_LIMIT = 10_000;

/** Which patterns of a check were found in a log by now. */
export class LogPatterns {
  private readonly wanted: readonly RegExp[];
  private readonly fatal: readonly RegExp[];
  private missing: Set<RegExp>;

  constructor(check: LogCheck) {
    this.wanted = check.patterns.map((pattern) => new RegExp(pattern));
    this.fatal = check.failPatterns.map((pattern) => new RegExp(pattern));
    this.missing = new Set(this.wanted);
  }

  /** What was found before is of another run. */
  beginAnew(): void {
    this.missing = new Set(this.wanted);
  }

  /** @param where the line stands, as people name it. @throws LiftlockError `check_failed` where it says what must not be said */
  take(where: string, line: string): void {
    const text = line.slice(0, LINE_LIMIT);
    const fatal = this.fatal.find((pattern) => pattern.test(text));
    if (fatal !== undefined) {
      throw failure(
        `the log of ${where} says what must not be said (${fatal.source}): ${text.slice(0, 500)}`,
        { container: where, pattern: fatal.source, line: text.slice(0, 1000) },
      );
    }
    for (const pattern of this.missing) if (pattern.test(text)) this.missing.delete(pattern);
  }

  get seen(): Seen {
    const missing = [...this.missing].map(({ source }) => source);
    return missing.length === 0
      ? seen(true, `found in the log: ${this.wanted.map(({ source }) => source).join(', ')}`)
      : seen(false, `not in the log yet: ${missing.join(', ')}`);
  }
}
