import type { StepQueue } from './options.js';

/** A queue within the process, for services whose steps may run wherever the command was received. */
export class LocalStepQueue implements StepQueue {
  private readonly waiting: string[] = [];
  private readonly running = new Map<string, Promise<void>>();
  /** Enqueued while they ran: a run that found its step not free yet must not be the last. */
  private readonly again = new Set<string>();
  private run: ((key: string) => Promise<void>) | undefined;
  private closed = false;

  constructor(private readonly concurrency: number) {}

  enqueue(key: string): Promise<void> {
    if (this.running.has(key)) this.again.add(key);
    else if (!this.waiting.includes(key)) this.waiting.push(key);
    this.next();
    return Promise.resolve();
  }

  start(run: (key: string) => Promise<void>): void {
    this.run = run;
    this.next();
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.allSettled(this.running.values());
  }

  private next(): void {
    const { run } = this;
    while (run !== undefined && !this.closed && this.running.size < this.concurrency) {
      const key = this.waiting.shift();
      if (key === undefined) return;
      const work = run(key).finally(() => {
        this.running.delete(key);
        if (this.again.delete(key)) this.waiting.push(key);
        this.next();
      });
      this.running.set(key, work);
    }
  }
}
