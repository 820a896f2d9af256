import { LiftlockError } from '#kernel';
import type { Colours } from '../show/colours.js';

/** What the demo has promised and then looked at with its own eyes. One that is broken is told at once, and fails the demo at its end. */
export class Promises {
  private broken = 0;

  constructor(
    private readonly print: (line: string) => void,
    private readonly colours: Colours,
  ) {}

  get allKept(): boolean {
    return this.broken === 0;
  }

  /** @param otherwise what was seen instead. */
  keep(what: string, holds: boolean, otherwise: string): void {
    if (!holds) this.broken += 1;
    this.print(
      holds
        ? `  ${this.colours.good('ok')}    ${what}`
        : `  ${this.colours.bad('NOT')}   ${what}: ${otherwise}`,
    );
  }

  /** @throws LiftlockError when one was broken: there is no sense in going on. */
  assertKept(): void {
    if (!this.allKept)
      throw new LiftlockError(
        'check_failed',
        'the demo did not keep its promise: see the line with NOT above',
      );
  }
}
