/** Gives a share back; called once more, it does nothing. */
export type Release = () => void;

/** Shares of something limited, given in the order of asking: to many small ones at a time, or to a few large ones. */
export class Budget {
  private readonly waiting: { readonly share: number; readonly go: () => void }[] = [];
  private free: number;

  constructor(private readonly total: number) {
    this.free = total;
  }

  /** Waits for it. @throws the signal's reason */
  async take(share: number, signal: AbortSignal): Promise<Release> {
    signal.throwIfAborted();
    const taken = Math.min(share, this.total);
    if (this.waiting.length === 0 && this.free >= taken) this.free -= taken;
    else await this.turn(taken, signal);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.free += taken;
      this.serve();
    };
  }

  private turn(share: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.waiting.splice(this.waiting.indexOf(entry), 1);
        this.serve();
        reject(signal.reason as Error);
      };
      const entry = {
        share,
        go: (): void => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      this.waiting.push(entry);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  private serve(): void {
    for (
      let next = this.waiting[0];
      next !== undefined && next.share <= this.free;
      next = this.waiting[0]
    ) {
      this.waiting.shift();
      this.free -= next.share;
      next.go();
    }
  }
}
