import { LiftlockError } from '#kernel';

/** Of the lease's end, the part in which an attempt does not change anything any more. */
const MARGIN = 0.15;

/**
 * One attempt of this process: its lease as this process's own clock has it, and the signal that ends it, at the latest shortly before
 * the lease does, whether PostgreSQL refuses to renew it or says nothing at all. The clock is monotonic and was read before the
 * claim was written, so that it never believes longer than PostgreSQL does.
 */
export class Attempt {
  private readonly controller = new AbortController();
  private leaseEndsAt: number;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  /** Whether it has asked to change something. */
  began = false;
  /** It was told to stop, and did not in time: it may still be at work. */
  deaf = false;
  /** The coordinator has been told that it has begun, or will be. */
  isStartTold = false;

  constructor(
    askedAt: number,
    private readonly leaseMs: number,
  ) {
    this.leaseEndsAt = askedAt + leaseMs;
    this.watch();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  renewed(askedAt: number): void {
    this.leaseEndsAt = askedAt + this.leaseMs;
    this.watch();
  }

  /** Nothing is at work any more: its lease need not be watched. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private watch(): void {
    clearTimeout(this.timer);
    // a heartbeat may still be on its way
    if (this.closed) return;
    this.timer = setTimeout(() => this.end(leaseEnded()), Math.max(this.leftMs(), 0));
  }

  /** Milliseconds until it is too near to the lease's end to change anything. */
  private leftMs(): number {
    return this.leaseEndsAt - this.leaseMs * MARGIN - performance.now();
  }

  end(reason: LiftlockError): void {
    if (!this.signal.aborted) this.controller.abort(reason);
  }

  /** @throws the reason, when it was ended or its lease is over. */
  assertAlive(): void {
    // the timer may be late
    if (this.leftMs() <= 0) this.end(leaseEnded());
    this.signal.throwIfAborted();
  }
}

function leaseEnded(): LiftlockError {
  return new LiftlockError(
    'fenced',
    'the lease has ended and PostgreSQL has not renewed it: the attempt must not change anything any more',
  );
}
