import { setImmediate as nextRound } from 'node:timers/promises';
import { LiftlockError } from '#kernel';

/** Messages that one turn takes at most: what a turn writes is held in memory. */
const MOST = 64;

interface Waiting<T> {
  readonly item: T;
  readonly done: PromiseWithResolvers<void>;
}

/**
 * What is told of one upgrade one after another. What comes while a turn is under way waits for its end, and is taken together in the next
 * one: the turns of a wave that answers all at once are few.
 */
export class TurnQueue<T> {
  private readonly upgrades = new Map<string, Array<Waiting<T>>>();

  /** @param take all of it or, where it fails, nothing */
  constructor(private readonly take: (upgrade: string, together: readonly T[]) => Promise<void>) {}

  /** Resolves when the turn that had it has ended; rejects with its own failure, never with that of another one of the same turn. */
  async add(upgrade: string, item: T): Promise<void> {
    const done = Promise.withResolvers<void>();
    const waiting = this.upgrades.get(upgrade);
    if (waiting === undefined) {
      const first = [{ item, done }];
      this.upgrades.set(upgrade, first);
      void this.drain(upgrade, first);
    } else waiting.push({ item, done });
    return done.promise;
  }

  private async drain(upgrade: string, waiting: Array<Waiting<T>>): Promise<void> {
    while (waiting.length > 0) {
      // a start and its result often come in one piece
      await nextRound();
      await this.turn(upgrade, waiting.splice(0, MOST));
    }
    this.upgrades.delete(upgrade);
  }

  private async turn(upgrade: string, together: ReadonlyArray<Waiting<T>>): Promise<void> {
    try {
      await this.take(
        upgrade,
        together.map(({ item }) => item),
      );
      for (const { done } of together) done.resolve();
    } catch (error) {
      // what may pass is no message's fault, and each of them comes again
      const isOurs = error instanceof LiftlockError && error.retryable;
      if (together.length === 1 || isOurs) for (const { done } of together) done.reject(error);
      // which of them it was is not known: each by itself
      else for (const one of together) await this.turn(upgrade, [one]);
    }
  }
}
