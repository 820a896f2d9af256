const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
/** What has not been tried for so long was brought out by another relay, or is new again. */
const FORGET_MS = 60_000;

/** Keys whose first message could not be sent: left alone for a while, so that nobody else waits behind them. */
export class HeldKeys {
  private readonly keys = new Map<string, { failures: number; until: number }>();

  /** Those that are not to be tried now. */
  now(): string[] {
    const now = performance.now();
    const held: string[] = [];
    for (const [key, { until }] of this.keys) {
      if (until > now) held.push(key);
      else if (until < now - FORGET_MS) this.keys.delete(key);
    }
    return held;
  }

  /** Milliseconds until one may be tried again; without any, for ever. */
  untilNext(): number {
    const now = performance.now();
    const waits = [...this.keys.values()].map(({ until }) => until - now).filter((ms) => ms > 0);
    return waits.length === 0 ? Infinity : Math.ceil(Math.min(...waits));
  }

  /** Twice as long with each failure, up to the bound. */
  failed(key: string): void {
    const failures = (this.keys.get(key)?.failures ?? 0) + 1;
    const waitMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10), MAX_RETRY_MS);
    this.keys.set(key, { failures, until: performance.now() + waitMs });
  }

  sent(key: string): void {
    this.keys.delete(key);
  }
}
