import { setTimeout as delay } from 'node:timers/promises';
import {
  FINAL_STATES,
  historyEvent,
  isFinal,
  upgradeProgress,
  upgradeView,
  type HistoryEvent,
  type UpgradeProgress,
} from '#contracts';
import { LiftlockError } from '#kernel';
import type { ApiClient } from './client.js';
import { upgradePath } from './paths.js';
import { readServerSentEvents } from './server-sent-events.js';

export interface FollowOptions {
  /** Sequence to go on after; default 0: from the beginning. */
  readonly after?: number;
  /** The user gave up. */
  readonly signal?: AbortSignal;
  /** Milliseconds without any contact after which it is given up; default five minutes. */
  readonly patienceMs?: number;
  /** Told once when contact is lost, and once when it is back. */
  readonly onContact?: (there: boolean) => void;
  /** Told how far transfers are, now and then: some of it may never come, and each stands for itself. */
  readonly onProgress?: (progress: UpgradeProgress) => void;
}

const PATIENCE_MS = 5 * 60_000;
/** The API says that it is alive every 10 s: after this many milliseconds of silence the connection is taken for dead. */
const SILENCE_MS = 35_000;
const FINAL_EVENTS: ReadonlySet<string> = new Set(
  FINAL_STATES.map((state) => `upgrade-${state.replaceAll('_', '-')}`),
);
const FIRST_WAIT_MS = 200;
const MAX_WAIT_MS = 5_000;

/**
 * The history of an upgrade and then what happens, each event once and in order, until the upgrade ends. A connection that breaks is
 * made again, with growing waits, from the last event that came.
 * @throws LiftlockError what the API says on a first request (`not_found` …), or `unavailable` after `patienceMs` without contact.
 */
export async function* followEvents(
  client: ApiClient,
  upgrade: string,
  options: FollowOptions = {},
): AsyncGenerator<HistoryEvent> {
  const { signal, patienceMs = PATIENCE_MS, onContact = () => undefined } = options;
  let after = options.after ?? 0;
  let lastContact = performance.now();
  let lost = false;
  let wait = FIRST_WAIT_MS;
  let emptyEnds = 0;
  for (;;) {
    try {
      let news = 0;
      for await (const event of connection(client, upgrade, after, options)) {
        lastContact = performance.now();
        wait = FIRST_WAIT_MS;
        if (lost) onContact(true);
        lost = false;
        if (event === undefined || event.sequence <= after) continue;
        after = event.sequence;
        news += 1;
        yield event;
        if (FINAL_EVENTS.has(event.type)) return;
      }
      // a gateway that shuts down ends its streams just as well: only what has ended, and has no more to say, is over
      const { state } = await client.get(upgradePath(upgrade), upgradeView);
      emptyEnds = isFinal(state) && news === 0 ? emptyEnds + 1 : 0;
      if (emptyEnds >= 2) return;
    } catch (error) {
      signal?.throwIfAborted();
      const known = LiftlockError.from(error);
      if (!known.retryable || known.code === 'internal') throw error;
      if (performance.now() - lastContact > patienceMs) throw error;
      if (!lost) onContact(false);
      lost = true;
    }
    // with some chance in it, so that many who lost the same gateway do not all come back at once
    await delay(
      wait * (0.75 + Math.random() / 2),
      undefined,
      signal === undefined ? {} : { signal },
    );
    wait = Math.min(wait * 2, MAX_WAIT_MS);
  }
}

/** One connection, from its first byte to the server's good end of it; a sign of life is `undefined`. */
async function* connection(
  client: ApiClient,
  upgrade: string,
  after: number,
  { signal, onProgress }: FollowOptions,
): AsyncGenerator<HistoryEvent | undefined> {
  const dead = new AbortController();
  let timer = setTimeout(() => dead.abort(), SILENCE_MS);
  const stop = signal === undefined ? dead.signal : AbortSignal.any([dead.signal, signal]);
  try {
    const ask = (query: Readonly<Record<string, string>>): Promise<Response> =>
      client.fetch(
        'GET',
        `${upgradePath(upgrade)}/events`,
        { query, headers: { accept: 'text/event-stream', 'last-event-id': String(after) } },
        stop,
      );
    let response = await ask(onProgress === undefined ? {} : { progress: 'true' });
    // an older fleet refuses a parameter that it does not know
    if (response.status === 400 && onProgress !== undefined) response = await ask({});
    await client.refuse(response, `events of ${upgrade}`);
    if (response.body === null) return;
    yield undefined;
    for await (const event of readServerSentEvents(response.body)) {
      clearTimeout(timer);
      timer = setTimeout(() => dead.abort(), SILENCE_MS);
      if (event?.event === 'progress') {
        // what a newer fleet says otherwise is as good as lost
        const progress = upgradeProgress.safeParse(JSON.parse(event.data));
        if (progress.success) onProgress?.(progress.data);
        yield undefined;
      } else yield event === undefined ? undefined : historyEvent.parse(JSON.parse(event.data));
    }
  } catch (error) {
    throw error instanceof Error && error.name === 'ZodError'
      ? LiftlockError.from(error)
      : client.unreachable(error);
  } finally {
    clearTimeout(timer);
    dead.abort();
  }
}
