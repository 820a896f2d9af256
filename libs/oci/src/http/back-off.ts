import { setTimeout as delay } from 'node:timers/promises';

export interface BackOffOptions {
  /** Milliseconds of the first pause; doubles with each failure in a row. Default 250. */
  readonly baseMs?: number;
  /** Upper bound of a pause that no `Retry-After` asked for, in milliseconds. Default 30,000. */
  readonly maxMs?: number;
}

/**
 * One host's pause, shared by all that talk to it: when it says "too many", everybody waits, not only the one who asked. A burst of
 * failures from before the last pause counts once.
 */
export class BackOff {
  private readonly baseMs: number;
  private readonly maxMs: number;
  private until = 0;
  private raisedAt = 0;
  private failures = 0;

  constructor(options: BackOffOptions = {}) {
    this.baseMs = options.baseMs ?? 250;
    this.maxMs = options.maxMs ?? 30_000;
  }

  /** Waits until the host may be asked again. @returns when that was, for `failed`. */
  async ready(signal: AbortSignal | undefined): Promise<number> {
    for (;;) {
      signal?.throwIfAborted();
      const now = performance.now();
      if (now >= this.until) return now;
      await delay(this.until - now, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** @param asked what `ready` returned for the request that failed @param retryAfterMs what the host asked for */
  failed(asked: number, retryAfterMs?: number): void {
    const now = performance.now();
    if (asked >= this.raisedAt) {
      this.failures += 1;
      this.raisedAt = now;
      const pause = Math.min(this.maxMs, this.baseMs * 2 ** (this.failures - 1));
      // spread, so that several processes do not come back together
      this.until = Math.max(this.until, now + pause * (0.5 + Math.random() / 2));
    }
    if (retryAfterMs !== undefined) this.until = Math.max(this.until, now + retryAfterMs);
  }

  succeeded(): void {
    this.failures = 0;
  }
}

/** `Retry-After` as seconds or as a date (RFC 9110, section 10.2.3), in milliseconds from `now`. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
