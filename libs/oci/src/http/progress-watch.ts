import { LiftlockError } from '#kernel';

/** Bytes that must move within one stall time, or it counts as none: who drips a byte a minute is not alive. */
const LEAST_BYTES = 16 * 1024;

/**
 * A deadline on progress, not on the whole: an hour of download is well as long as it moves. The timer is looked at, not set anew for
 * each piece.
 */
export class ProgressWatch {
  private bytes = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(stallMs: number, stalled: (error: LiftlockError) => void) {
    this.timer = setInterval(() => {
      if (this.bytes < LEAST_BYTES) {
        this.stop();
        stalled(
          new LiftlockError('timeout', `no progress within ${Math.round(stallMs / 1_000)} s`),
        );
      }
      this.bytes = 0;
    }, stallMs);
    this.timer.unref();
  }

  moved(bytes: number): void {
    this.bytes += bytes;
  }

  /** Something happened that is worth as much as bytes: the answer's head came. */
  alive(): void {
    this.bytes = LEAST_BYTES;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
