import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '#fleet';
import { waitFor } from '#kernel';
import { eventSubject, NONE } from '#contracts';
import { toFleetEvent } from '#bus';
import { KEY, OTHER_KEY } from './support/notifiers.js';
import { Receiver, verified } from './support/receiver.js';
import { QUICK, type RunningNotifier } from './support/running-notifier.js';
import { openStage } from './support/stage.js';

const secret = 'env:LIFTLOCK_SECRET_HOOKS';
const stage = openStage();

describe('with a notifier that runs,', () => {
  let notifier: RunningNotifier;
  beforeAll(async () => {
    notifier = await stage.notifiers.start();
  });
  afterAll(() => stage.notifiers.killAll());

  describe('a webhook', () => {
    it('comes once for each event, signed, with the event as its body', async () => {
      const environment = stage.scene.environment({ url: stage.receiver.url('/all'), secret });
      const ids = await stage.scene.upgrade(environment, 'upgrade-created', 'upgrade-planned');
      expect(await stage.scene.ended(ids)).toMatchObject([
        { state: 'delivered', attempts: 1, last_status: 204 },
        { state: 'delivered', attempts: 1, last_status: 204 },
      ]);
      expect(stage.idsAt('/all').sort()).toEqual(ids);
      for (const received of stage.receiver.at('/all')) {
        expect(received.headers['content-type']).toBe(
          'application/cloudevents+json; charset=utf-8',
        );
        expect(received.body).toBe(
          stage.scene.published.find(({ id }) => id === received.id)?.payload,
        );
        expect(verified(KEY, received)).toMatchObject({ id: received.id, specversion: '1.0' });
        expect(() => verified(OTHER_KEY, received)).toThrow(/signature/i);
        expect(() => verified(KEY, { ...received, body: `${received.body} ` })).toThrow(
          /signature/i,
        );
      }
    });

    it('comes for the events that it asks for, of its environment, with its own secret', async () => {
      const environment = stage.scene.environment(
        {
          url: stage.receiver.url('/ends'),
          events: ['upgrade-succeeded', 'upgrade-failed'],
          secret,
        },
        { url: stage.receiver.url('/all'), secret: 'env:LIFTLOCK_SECRET_OTHER' },
      );
      stage.scene.environment({ url: stage.receiver.url('/elsewhere'), secret });
      const ids = await stage.scene.upgrade(environment, 'upgrade-created', 'upgrade-failed');
      await stage.scene.ended(ids, 3);
      expect(stage.idsAt('/ends')).toEqual([ids[1]]);
      expect(stage.idsAt('/all').sort()).toEqual(ids);
      expect(stage.idsAt('/elsewhere')).toEqual([]);
      for (const received of stage.receiver.at('/all')) verified(OTHER_KEY, received);
    });

    it('of an environment that nobody knows, or of none, is nobody to tell, and holds nothing up', async () => {
      const unknown = await stage.scene.upgrade('nowhere', 'upgrade-failed');
      const fleet = toFleetEvent(
        {
          app: 'planner',
          messageId: 'odd',
          subject: 'liftlock.command.main.planner.compute-plan',
          error: { code: 'invalid_request', message: 'no JSON', retryable: false },
          deliveries: 1,
        },
        new Date(),
      );
      await stage.scene.publish({
        subject: eventSubject(NONE, 'planner', NONE, 'message-dead-lettered'),
        id: fleet.id,
        payload: JSON.stringify(fleet),
      });
      const environment = stage.scene.environment({ url: stage.receiver.url('/all'), secret });
      await stage.scene.ended(await stage.scene.upgrade(environment, 'upgrade-created'));
      expect(await stage.scene.deliveries([...unknown, fleet.id])).toEqual([]);
      expect(await stage.scene.deadLetters()).toEqual([]);
    });
  });

  describe('a receiver that', () => {
    it('fails for a while gets it again, later each time, under the same id', async () => {
      stage.receiver.answer('/flaky', (nth) => ({ status: [500, 503, 429][nth - 1] ?? 200 }));
      const environment = stage.scene.environment({ url: stage.receiver.url('/flaky'), secret });
      const [id = ''] = await stage.scene.upgrade(environment, 'upgrade-created');
      expect(await stage.scene.ended([id])).toMatchObject([
        { state: 'delivered', attempts: 4, last_status: 200 },
      ]);
      expect(stage.idsAt('/flaky')).toEqual([id, id, id, id]);
      const [first = 0, second = 0, third = 0, fourth = 0] = stage.receiver
        .at('/flaky')
        .map(({ at }) => at);
      expect(second - first).toBeGreaterThanOrEqual(QUICK.backoffMs * 0.9);
      expect(third - second).toBeGreaterThanOrEqual(QUICK.backoffMs * 3 * 0.9);
      expect(fourth - third).toBeGreaterThanOrEqual(QUICK.backoffMs * 9 * 0.9);
      for (const received of stage.receiver.at('/flaky')) verified(KEY, received);
    });

    it('asks for patience by Retry-After is left alone for so long', async () => {
      stage.receiver.answer('/busy', (nth) =>
        nth === 1 ? { status: 503, headers: { 'retry-after': '1' } } : { status: 200 },
      );
      const environment = stage.scene.environment({ url: stage.receiver.url('/busy'), secret });
      await stage.scene.ended(await stage.scene.upgrade(environment, 'upgrade-created'));
      const [first = 0, second = 0] = stage.receiver.at('/busy').map(({ at }) => at);
      expect(second - first).toBeGreaterThanOrEqual(900);
    });

    it('never works is given up after the policy, and the log and the row say so', async () => {
      stage.receiver.answer('/broken', () => ({ status: 500 }));
      const environment = stage.scene.environment({ url: stage.receiver.url('/broken'), secret });
      const ids = await stage.scene.upgrade(environment, 'upgrade-created');
      expect(await stage.scene.ended(ids)).toMatchObject([
        {
          state: 'failed',
          attempts: QUICK.maxAttempts,
          last_status: 500,
          last_error: 'answered 500',
        },
      ]);
      expect(stage.receiver.at('/broken')).toHaveLength(QUICK.maxAttempts);
      await notifier.untilSaid(`did not get upgrade-created (${ids[0]}), given up after 4 of 4`);
    });

    it('is gone (410) is not asked again', async () => {
      stage.receiver.answer('/gone', () => ({ status: 410 }));
      const environment = stage.scene.environment({ url: stage.receiver.url('/gone'), secret });
      const ids = await stage.scene.upgrade(environment, 'upgrade-created');
      expect(await stage.scene.ended(ids)).toMatchObject([
        { state: 'failed', attempts: 1, last_status: 410 },
      ]);
      expect(stage.receiver.at('/gone')).toHaveLength(1);
    });

    it('sends us elsewhere does not get us to go there', async () => {
      const statuses = [301, 302, 303, 307, 308];
      const trap = await Receiver.start();
      for (const status of statuses) {
        stage.receiver.answer(`/${status}`, () => ({
          status,
          headers: { location: trap.url('/trap') },
        }));
      }
      const environment = stage.scene.environment(
        ...statuses.map((status) => ({ url: stage.receiver.url(`/${status}`), secret })),
      );
      const ids = await stage.scene.upgrade(environment, 'upgrade-created');
      const ended = await stage.scene.ended(ids, statuses.length);
      expect(ended.map((one) => one.last_status)).toEqual(statuses);
      for (const { state, last_error: error } of ended) {
        expect(state).toBe('failed');
        expect(error).toMatch(/redirects are not followed: correct the url/);
      }
      expect(trap.received).toEqual([]);
      await trap.stop();
    });

    it('says nothing holds up nobody else', async () => {
      stage.receiver.answer('/silent', () => new Promise(() => undefined));
      const silent = stage.scene.environment({ url: stage.receiver.url('/silent'), secret });
      const quick = stage.scene.environment({ url: stage.receiver.url('/quick'), secret });
      const stuck = await stage.scene.upgrade(
        silent,
        ...Array.from({ length: 20 }, () => 'step-started' as const),
      );
      const ids = await stage.scene.upgrade(quick, 'upgrade-created');
      expect(await stage.scene.ended(ids)).toMatchObject([{ state: 'delivered', attempts: 1 }]);
      const waiting = await stage.scene.deliveries(stuck);
      expect(waiting.map(({ state }) => state)).toEqual(stuck.map(() => 'pending'));
    });
  });

  describe('a signing secret', () => {
    it.each([
      [
        'that is not set',
        'env:LIFTLOCK_SECRET_MISSING',
        /LIFTLOCK_SECRET_MISSING is not set: set it/,
      ],
      ['that is no key', 'env:LIFTLOCK_SECRET_ODD', /LIFTLOCK_SECRET_ODD is not valid: it must be/],
    ])('%s is said by name, and nothing is sent unsigned', async (_name, reference, said) => {
      const environment = stage.scene.environment({
        url: stage.receiver.url('/unsigned'),
        secret: reference,
      });
      const [delivery] = await stage.scene.ended(
        await stage.scene.upgrade(environment, 'upgrade-created'),
      );
      expect(delivery).toMatchObject({ state: 'failed', attempts: 1, secret: reference });
      expect(delivery?.last_error).toMatch(said);
      await notifier.untilSaid(said);
      expect(stage.receiver.received).toEqual([]);
    });

    it('is nowhere but in memory, and neither is what a url holds in any log', async () => {
      const token = 'xoxb-in-the-url';
      stage.receiver.answer(`/${token}?key=${token}`, () => ({ status: 410 }));
      const environment = stage.scene.environment({
        url: stage.receiver.url(`/${token}?key=${token}`),
        secret,
      });
      const ids = await stage.scene.upgrade(environment, 'upgrade-created');
      expect(await stage.scene.ended(ids)).toMatchObject([{ state: 'failed', secret }]);
      await notifier.untilSaid(`(${ids[0]})`);
      expect(notifier.log).not.toContain(token);
    });
  });
});

describe('a receiver that', () => {
  afterEach(() => stage.notifiers.killAll());

  it('is not there yet gets it when it is', async () => {
    // as often as it takes this test to see a try
    await stage.notifiers.start({ ...QUICK, maxAttempts: 1_000 });
    const port = await freePort();
    const environment = stage.scene.environment({ url: `http://127.0.0.1:${port}/late`, secret });
    const ids = await stage.scene.upgrade(environment, 'upgrade-created');
    await waitFor(
      async () => (await stage.scene.deliveries(ids))[0]?.last_error?.includes('ECONNREFUSED'),
      { what: 'a try that is refused', deadlineMs: 60_000, everyMs: 10 },
    );
    const late = await Receiver.start(port);
    expect(await stage.scene.ended(ids)).toMatchObject([{ state: 'delivered' }]);
    expect(late.at('/late').map(({ id }) => id)).toEqual(ids);
    await late.stop();
  });

  it('says nothing is given up in time', async () => {
    await stage.notifiers.start({ ...QUICK, timeoutMs: 1_000 });
    stage.receiver.answer('/silent', () => new Promise(() => undefined));
    const environment = stage.scene.environment({ url: stage.receiver.url('/silent'), secret });
    const ids = await stage.scene.upgrade(environment, 'upgrade-created');
    const [given] = await stage.scene.ended(ids);
    expect(given).toMatchObject({ state: 'failed', attempts: 4, last_status: null });
    expect(given?.last_error).toBe('did not answer within 1000 ms');
  });
});
