/** Shares of something limited, given in the order of asking: many small blobs at a time, or a few large ones. */
export class Budget {
  private readonly waiting: { readonly share: number; readonly go: () => void }[] = [];
  private free: number;

  constructor(private readonly total: number) {
    this.free = total;
  }

  async with<T>(
    share: number,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const taken = Math.min(share, this.total);
    await this.take(taken, signal);
    try {
      return await work();
    } finally {
      this.free += taken;
      this.serve();
    }
  }

  private take(share: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.waiting.length === 0 && this.free >= share) {
      this.free -= share;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.waiting.splice(this.waiting.indexOf(entry), 1);
        this.serve();
        reject(signal?.reason as Error);
      };
      const entry = {
        share,
        go: (): void => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      this.waiting.push(entry);
      signal?.addEventListener('abort', abort, { once: true });
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
