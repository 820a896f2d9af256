import { setTimeout as delay } from 'node:timers/promises';

/** What a limit measures and waits by. */
export interface RateClock {
  /** Milliseconds of a clock that only goes on. */
  now(): number;
  wait(ms: number, signal: AbortSignal | undefined): Promise<unknown>;
}

const systemClock: RateClock = {
  now: () => performance.now(),
  wait: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
};

/** Longest time that is owed rather than waited for, in milliseconds: a timer for each piece would cost more than it holds back. */
export const OWED_MS = 20;

/** Holds what passes down to so many bytes a second, for all that share it. */
export class RateLimit {
  /** When what has passed so far will have been allowed. */
  private paidUntil = 0;

  constructor(
    private readonly bytesPerSecond: number,
    private readonly clock: RateClock = systemClock,
  ) {}

  async pass(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const now = this.clock.now();
    this.paidUntil = Math.max(this.paidUntil, now) + (bytes / this.bytesPerSecond) * 1_000;
    const wait = this.paidUntil - now;
    if (wait > OWED_MS) await this.clock.wait(wait, signal);
  }
}
