import { get, type IncomingMessage } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upgradeProgress, type HistoryEvent, type UpgradeState } from '#contracts';
import { waitFor } from '#kernel';
import { BOOTSTRAP, startGateway, type RunningGateway } from './support/running-gateway.js';
import { anEvent, ID } from './support/upgrades.js';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ LIFTLOCK_MAX_STREAMS: '2' });
});
afterAll(() => gateway.stop());

/** A coordinator's history that grows. */
function history(events: HistoryEvent[]): { state: UpgradeState; events: HistoryEvent[] } {
  const kept = { state: 'running' as UpgradeState, events };
  gateway.responders.answer({
    'list-events': ({ after, limit }) => ({
      state: kept.state,
      items: kept.events.filter(({ sequence }) => sequence > after).slice(0, limit),
    }),
  });
  return kept;
}

class Stream {
  text = '';
  ended = false;
  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (this.text += chunk));
    response.on('close', () => (this.ended = true));
    response.on('error', () => undefined);
  }
  static open(
    headers: Record<string, string> = {},
    query = '',
    token = BOOTSTRAP,
  ): Promise<Stream> {
    const url = `${gateway.url}/v1/upgrades/${ID}/events${query}`;
    return new Promise((resolve, reject) => {
      get(url, { headers: { authorization: `Bearer ${token}`, ...headers } }, (response) =>
        resolve(new Stream(response)),
      ).on('error', reject);
    });
  }
  get ids(): number[] {
    return [...this.text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  }
  /** What stands in frames of progress: each without an id. */
  get progress() {
    const frames = this.text.split('\n\n').filter((frame) => frame.includes('event: progress'));
    return frames.map((frame) => {
      const [, data = ''] = /^event: progress\ndata: (.*)$/.exec(frame) ?? [];
      return upgradeProgress.parse(JSON.parse(data));
    });
  }
  has(count: number): Promise<unknown> {
    return waitFor(() => this.ids.length >= count, { what: `${count} events`, deadlineMs: 60_000 });
  }
  end(): Promise<unknown> {
    return waitFor(() => this.ended, { what: 'the stream ends', deadlineMs: 60_000 });
  }
  close(): void {
    this.response.destroy();
  }
}

/** A stream, or what else is answered, when those of the tests before have made room. */
const opened = (query = '', headers: Record<string, string> = {}): Promise<Stream> =>
  waitFor(
    async () => {
      const stream = await Stream.open(headers, query);
      if (stream.response.statusCode !== 429) return stream;
      stream.close();
      return undefined;
    },
    { what: 'room for a stream', deadlineMs: 60_000 },
  );

describe('the event stream', () => {
  it('has the history as id, event and data, then what happens, and ends after the last event of the end', async () => {
    const kept = history([anEvent(1, 'upgrade-created'), anEvent(2)]);
    const stream = await opened();
    expect(stream.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    await stream.has(2);
    expect(stream.text).toContain(
      `id: 1\nevent: upgrade-created\ndata: ${JSON.stringify(kept.events[0])}\n\n`,
    );
    kept.events.push(anEvent(3));
    await gateway.responders.announce(ID, 'step-started');
    await stream.has(3);
    kept.events.push(anEvent(4), anEvent(5, 'upgrade-succeeded'));
    kept.state = 'succeeded';
    await gateway.responders.announce(ID, 'upgrade-succeeded');
    await stream.end();
    expect(stream.ids).toEqual([1, 2, 3, 4, 5]);
  });

  it('goes on after Last-Event-ID, or ?after=, the header first; nothing lost, nothing twice', async () => {
    const kept = history([1, 2, 3, 4].map((sequence) => anEvent(sequence)));
    kept.state = 'rolled_back';
    const resumed = await opened('?after=1', { 'last-event-id': '2' });
    const asked = await opened('?after=3');
    await Promise.all([resumed.end(), asked.end()]);
    expect([resumed.ids, asked.ids]).toEqual([[3, 4], [4]]);
  });

  it('a history longer than a page arrives in order', async () => {
    const kept = history(Array.from({ length: 950 }, (_, i) => anEvent(i + 1)));
    kept.state = 'succeeded';
    const stream = await opened();
    await stream.end();
    expect(stream.ids).toEqual(kept.events.map(({ sequence }) => sequence));
  });

  it('an event that the broker lost is found all the same', async () => {
    const kept = history([anEvent(1)]);
    const stream = await opened();
    await stream.has(1);
    kept.events.push(anEvent(2));
    await stream.has(2);
    expect(stream.ids).toEqual([1, 2]);
    stream.close();
  });

  it('outlasts a coordinator that is away for a while', async () => {
    const kept = history([anEvent(1)]);
    const stream = await opened();
    await stream.has(1);
    await gateway.responders.stop('coordinator');
    kept.events.push(anEvent(2));
    await gateway.responders.start(['coordinator']);
    await stream.has(2);
    expect(stream.ids).toEqual([1, 2]);
    stream.close();
  });

  it('an unknown upgrade is a problem, not a stream', async () => {
    gateway.responders.answer({});
    const stream = await opened();
    await stream.end();
    expect([stream.response.statusCode, JSON.parse(stream.text)]).toMatchObject([
      404,
      { code: 'not_found' },
    ]);
  });

  it('their number has a bound, and one that is closed makes room', async () => {
    history([anEvent(1)]);
    const open = [await opened(), await opened()];
    const third = await Stream.open();
    expect(third.response.statusCode).toBe(429);
    expect(third.response.headers['retry-after']).toBe('1');
    open[0]?.close();
    const fourth = await opened();
    fourth.close();
    open[1]?.close();
  });
});

it('one who leaves while his token is looked at takes no place', async () => {
  history([anEvent(1)]);
  for (let n = 0; n < 10; n += 1) {
    const asking = get(`${gateway.url}/v1/upgrades/${ID}/events`, {
      headers: { authorization: `Bearer ${BOOTSTRAP}` },
    });
    asking.on('error', () => undefined);
    asking.on('socket', (socket) => {
      // when it is sent, and not yet answered
      socket.once('connect', () => setImmediate(() => asking.destroy()));
    });
    // its error is told before, and ends nothing
    await new Promise((resolve) => asking.once('close', resolve));
  }
  const open: Stream[] = [];
  await waitFor(
    async () => {
      const stream = await Stream.open();
      if (stream.response.statusCode !== 200) {
        stream.close();
        return false;
      }
      open.push(stream);
      return open.length === 2;
    },
    { what: 'both places', deadlineMs: 60_000 },
  );
  expect(open.map(({ response }) => response.statusCode)).toEqual([200, 200]);
  for (const stream of open) stream.close();
});

describe('progress in the event stream', () => {
  const said = (stepId: string, state: 'running' | 'done' | 'stopped', doneBytes = 25) =>
    gateway.responders.tell({
      ...{ upgrade: ID, environment: 'home', application: 'web', stepId, token: 1, part: 'copy' },
      ...{ state, doneBytes, totalBytes: 100, bytesPerSecond: 15, at: '2026-01-01T00:00:00.000Z' },
    });

  type Shown = Stream['progress'][number];
  /** As a step does, it is said until it is shown: what was heard is forgotten after a while. */
  const saidUntil = (
    stream: Stream,
    isShown: (shown: Shown) => boolean,
    ...what: Parameters<typeof said>
  ): Promise<Shown> =>
    waitFor(
      async () => {
        await said(...what);
        return stream.progress.find(isShown);
      },
      { what: `${what.join(' ')} to be shown`, deadlineMs: 60_000 },
    );
  const has =
    (doneBytes: number) =>
    ({ steps }: Shown): boolean =>
      steps.some((step) => step.doneBytes === doneBytes);

  it('stands between the events without an id, for those alone who ask: no position moves', async () => {
    const kept = history([anEvent(1)]);
    const asking = await opened('?progress=true');
    const other = await opened();
    await asking.has(1);
    await saidUntil(asking, has(25), 'prepare/a', 'running');
    kept.events.push(anEvent(2));
    await gateway.responders.announce(ID, 'step-started');
    await saidUntil(asking, has(40), 'prepare/a', 'running', 40);
    await Promise.all([asking.has(2), other.has(2)]);
    await said('prepare/a', 'stopped');
    await waitFor(() => asking.progress.at(-1)?.steps.length === 0, {
      what: 'nothing to be under way',
      deadlineMs: 60_000,
    });
    const measure = { totalBytes: 100, bytesPerSecond: 15 };
    const steps = asking.progress.map((one) => one.steps).filter((some) => some.length > 0);
    // a machine that stands still forgets, and is told the same again
    const shown = steps.filter((one, i) => !isDeepStrictEqual(one, steps[i - 1]));
    expect(shown).toEqual([
      [{ step: 'prepare/a', part: 'copy', doneBytes: 25, ...measure, secondsLeft: 5 }],
      [{ step: 'prepare/a', part: 'copy', doneBytes: 40, ...measure, secondsLeft: 4 }],
    ]);
    expect([asking.ids, other.ids]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(other.text).not.toContain('progress');
    asking.close();
    other.close();
  });

  it('who comes later sees what is done already, and what is not as the catalogue says hurts nobody', async () => {
    history([anEvent(1)]);
    await said('prepare/b', 'done', 100);
    await gateway.responders.tellAnything(ID, '{"part":"moon"}');
    await gateway.responders.tellAnything(ID, 'no JSON at all');
    const late = await opened('?progress=true');
    const { totals } = await saidUntil(late, has(25), 'prepare/c', 'running');
    expect(totals).toEqual([
      {
        ...{ kind: 'images', running: 1, doneBytes: 125, totalBytes: 200 },
        ...{ bytesPerSecond: 15, secondsLeft: 5 },
      },
    ]);
    // its end is the end of all that was heard of it
    await gateway.responders.announce(ID, 'upgrade-failed');
    const anew = await saidUntil(late, has(30), 'prepare/c', 'running', 30);
    expect(anew.totals).toMatchObject([{ running: 1, doneBytes: 30, totalBytes: 100 }]);
    late.close();
  });
});
