import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const TIMEOUT_MS = 250;

/** Looks at a service all the time, to know how long it did not answer. */
export class Probe {
  private stopped = false;
  private lastUp = performance.now();
  private longest = 0;
  private readonly looking: Promise<void>;

  /** @param everyMs milliseconds between two looks at the service; default 10 */
  constructor(
    private readonly url: string,
    private readonly everyMs = 10,
  ) {
    this.looking = this.look();
  }

  /** @returns the longest time, in milliseconds, between an answer and the next one. */
  async stop(): Promise<number> {
    this.stopped = true;
    await this.looking;
    return this.longest;
  }

  private async look(): Promise<void> {
    while (!this.stopped) {
      if (await answers(this.url)) {
        const now = performance.now();
        this.longest = Math.max(this.longest, now - this.lastUp);
        this.lastUp = now;
      }
      await delay(this.everyMs);
    }
  }
}

export function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(url, { agent: false, timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
      response.on('error', () => resolve(false));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.end();
  });
}
