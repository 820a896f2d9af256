import { afterEach, describe, expect, it } from 'vitest';
import { waitFor } from '#kernel';
import { QUICK } from './support/running-notifier.js';
import { openStage } from './support/stage.js';

const secret = 'env:LIFTLOCK_SECRET_HOOKS';
const stage = openStage();

describe('a notifier that', () => {
  afterEach(() => stage.notifiers.killAll());

  it('dies when the receiver has it, and before it is marked, delivers it again under the same id', async () => {
    const dying = await stage.notifiers.start();
    stage.receiver.answer('/once', async (nth) => {
      if (nth === 1) await dying.kill();
      return { status: 204 };
    });
    const environment = stage.scene.environment({ url: stage.receiver.url('/once'), secret });
    const [id = ''] = await stage.scene.upgrade(environment, 'upgrade-created');
    await waitFor(() => stage.receiver.at('/once').length === 1, {
      what: 'the delivery before the death',
      deadlineMs: 60_000,
    });
    expect(await stage.scene.deliveries([id])).toMatchObject([{ state: 'pending', attempts: 1 }]);
    await dying.kill();
    await stage.scene.claimsEnd();
    await stage.notifiers.start();
    expect(await stage.scene.ended([id])).toMatchObject([{ state: 'delivered', attempts: 2 }]);
    expect(stage.idsAt('/once')).toEqual([id, id]);
  });

  it('kills itself on one delivery gives it up in the end', async () => {
    let deaths = 0;
    stage.receiver.answer('/deadly', async () => {
      await stage.notifiers.kill();
      deaths += 1;
      return { status: 204 };
    });
    const environment = stage.scene.environment({ url: stage.receiver.url('/deadly'), secret });
    const [id = ''] = await stage.scene.upgrade(environment, 'upgrade-created');
    for (let death = 1; death <= QUICK.maxAttempts; death += 1) {
      await stage.notifiers.launch();
      await waitFor(() => deaths === death, { what: `death ${death}`, deadlineMs: 60_000 });
      await stage.scene.claimsEnd();
    }
    await stage.notifiers.start();
    const [delivery] = await stage.scene.ended([id]);
    expect(delivery).toMatchObject({ state: 'failed' });
    expect(delivery?.last_error).toBe('the notifier ended during its last try');
    expect(stage.receiver.at('/deadly')).toHaveLength(QUICK.maxAttempts);
  });

  it('is told to end ends at once, whoever does not answer, and the next one goes on', async () => {
    const leaving = await stage.notifiers.start();
    let isThere = true;
    stage.receiver.answer('/slow', () =>
      isThere ? new Promise(() => undefined) : { status: 200 },
    );
    const environment = stage.scene.environment({ url: stage.receiver.url('/slow'), secret });
    const ids = await stage.scene.upgrade(environment, 'upgrade-created');
    await waitFor(() => stage.receiver.at('/slow').length === 1, {
      what: 'the try that hangs',
      deadlineMs: 60_000,
    });
    expect(await leaving.stop()).toBe(0);
    isThere = false;
    expect(await stage.scene.deliveries(ids)).toMatchObject([{ state: 'pending' }]);
    await stage.notifiers.start();
    expect(await stage.scene.ended(ids)).toMatchObject([{ state: 'delivered' }]);
  });

  it('is told to end while the broker is away ends all the same', async () => {
    const leaving = await stage.notifiers.start();
    await stage.scene.nats.server.stop();
    await waitFor(() => leaving.log.includes('NATS is out of reach'), {
      what: 'the notifier to see it',
      deadlineMs: 60_000,
    });
    expect(await leaving.stop()).toBe(0);
    await stage.scene.nats.server.restart();
  });

  it('was away when the events came tells of them all the same', async () => {
    const environment = stage.scene.environment({ url: stage.receiver.url('/all'), secret });
    const ids = await stage.scene.upgrade(environment, 'upgrade-created', 'upgrade-failed');
    await stage.notifiers.start();
    await stage.scene.ended(ids);
    expect(stage.idsAt('/all').sort()).toEqual(ids);
  });

  it('is not alone delivers each event once', async () => {
    await Promise.all([stage.notifiers.start(), stage.notifiers.start(), stage.notifiers.start()]);
    const environment = stage.scene.environment({ url: stage.receiver.url('/all'), secret });
    const ids = await stage.scene.upgrade(
      environment,
      ...Array.from({ length: 60 }, () => 'step-started' as const),
    );
    await stage.scene.ended(ids);
    expect(stage.idsAt('/all').sort()).toEqual([...ids].sort());
  });

  it('finds the broker empty again loses nothing that the coordinator refills, and tells nothing twice', async () => {
    await stage.notifiers.start();
    const known = stage.scene.environment({ url: stage.receiver.url('/all'), secret });
    const before = await stage.scene.upgrade(known, 'upgrade-created', 'upgrade-planned');
    await stage.scene.ended(before);
    // of this environment it cannot ask, so its events are in the broker only
    await stage.scene.plannerLeaves();
    const other = stage.scene.environment({ url: stage.receiver.url('/all'), secret });
    const between = await stage.scene.upgrade(other, 'upgrade-created', 'upgrade-planned');
    await stage.scene.nats.server.wipe();
    await stage.scene.plannerComes();
    for (const event of stage.scene.published) await stage.scene.publish(event);
    const after = await stage.scene.upgrade(known, 'upgrade-failed');
    const ids = [...before, ...between, ...after];
    await stage.scene.ended(ids);
    expect(stage.idsAt('/all').sort()).toEqual(ids.sort());
  });

  it('is given the events of yesterday again does not give them to the webhooks of today', async () => {
    await stage.notifiers.start();
    const environment = stage.scene.environment({ url: stage.receiver.url('/old'), secret });
    const yesterday = await stage.scene.upgrade(environment, 'upgrade-created', 'upgrade-planned');
    await stage.scene.ended(yesterday);
    stage.scene.change(environment, { url: stage.receiver.url('/new'), secret });
    const today = await waitFor(
      async () => {
        const ids = await stage.scene.upgrade(environment, 'upgrade-created');
        return (await stage.scene.ended(ids))[0]?.url.endsWith('/new') && ids;
      },
      { what: 'the notifier to know of the new webhook', deadlineMs: 60_000, everyMs: 250 },
    );
    await stage.scene.nats.server.wipe();
    for (const event of stage.scene.published) await stage.scene.publish(event);
    const last = await stage.scene.upgrade(environment, 'upgrade-failed');
    await stage.scene.ended(last);
    expect(stage.idsAt('/new')).toEqual([...today, ...last]);
  });

  it('cannot ask the planner waits for it', async () => {
    const notifier = await stage.notifiers.start();
    await stage.scene.plannerLeaves();
    const environment = stage.scene.environment({ url: stage.receiver.url('/all'), secret });
    const ids = await stage.scene.upgrade(environment, 'upgrade-created');
    await waitFor(() => notifier.log.includes('planner does not answer environment-webhooks'), {
      what: 'the log to say so',
      deadlineMs: 60_000,
    });
    expect(await stage.scene.deliveries(ids)).toEqual([]);
    await stage.scene.plannerComes();
    expect(await stage.scene.ended(ids)).toMatchObject([{ state: 'delivered' }]);
  });

  it('gets something that is no event keeps it as a dead letter, and goes on', async () => {
    await stage.notifiers.start();
    const environment = stage.scene.environment({ url: stage.receiver.url('/all'), secret });
    const subject = `liftlock.event.${environment}.shop.upg.upgrade-created`;
    const odd = [
      { subject, id: 'no-json', payload: 'what is this' },
      { subject, id: 'no-event', payload: '{"hello":"world"}' },
      { subject: `${subject}.more`, id: 'no-address', payload: '{}' },
      // an environment's name that no document can have: the planner refuses the question
      {
        subject: 'liftlock.event.Not_A_Name.shop.upg.upgrade-created',
        id: 'no-name',
        payload: stage.scene.published[0]?.payload ?? '',
      },
    ];
    for (const event of odd) await stage.scene.publish(event);
    const ids = await stage.scene.upgrade(environment, 'upgrade-created');
    await stage.scene.ended(ids);
    const letters = await waitFor(
      async () => {
        const kept = await stage.scene.deadLetters();
        return kept.length >= odd.length && kept;
      },
      { what: 'the dead letters', deadlineMs: 60_000 },
    );
    expect(letters.map((letter) => letter.message_id)).toEqual(odd.map(({ id }) => id));
    expect(stage.idsAt('/all')).toEqual(ids);
  });
});
