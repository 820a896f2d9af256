import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { isFinal, type EventType, type HistoryEvent } from '#contracts';
import { LiftlockError } from '#kernel';
import { QueryClient } from '#bus';
import { EventWakes } from './event-wakes.js';

const PAGE = 200;
/** Milliseconds after which it is asked although nothing was heard. */
const POLL_MS = 1_500;
/** Milliseconds from one question to the next: the steps of a wave tell of themselves hundreds of times, and are read together. */
const GATHER_MS = 200;
/** What somebody waits for is asked for at once. */
const AT_ONCE: EventType = 'upgrade-state-changed';

/** The history of an upgrade, and then what happens, up to its end. */
@Injectable()
export class EventFeed {
  constructor(
    private readonly queries: QueryClient,
    private readonly wakes: EventWakes,
  ) {}

  /**
   * Pages of events after a sequence, none lost and none twice: also empty ones, now and then, as a sign of life.
   * @throws LiftlockError from the first page only (`not_found` …); later on a coordinator that is away is waited for.
   */
  async *follow(
    upgrade: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<readonly HistoryEvent[]> {
    let woken = new AbortController();
    let hurried = new AbortController();
    const stop = this.wakes.listen(upgrade, (type) => {
      woken.abort();
      if (type === AT_ONCE) hurried.abort();
    });
    const pause = (ms: number, { signal: end }: AbortController): Promise<void> =>
      delay(ms, undefined, { signal: AbortSignal.any([signal, end]) }).catch(() => undefined);
    try {
      let position = after;
      for (let first = true; !signal.aborted; first = false) {
        // what is heard while the question is under way counts for the next one
        woken = new AbortController();
        hurried = new AbortController();
        const askedAt = performance.now();
        const page = await this.page(upgrade, position, first);
        if (page !== undefined) {
          yield page.items;
          position = page.items.at(-1)?.sequence ?? position;
          if (page.items.length === PAGE) continue;
          if (isFinal(page.state)) return;
        } else yield [];
        await pause(POLL_MS, woken);
        await pause(Math.max(0, askedAt + GATHER_MS - performance.now()), hurried);
      }
    } finally {
      stop();
    }
  }

  private async page(upgrade: string, after: number, first: boolean) {
    try {
      return await this.queries.ask('list-events', { id: upgrade, after, limit: PAGE });
    } catch (error) {
      if (first || !(error instanceof LiftlockError) || !error.retryable) throw error;
      return undefined;
    }
  }
}
