import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiftlockError, systemIds, waitFor } from '#kernel';
import { EVENT_STREAM, COMMAND_STREAM, eventSubject } from '#contracts';
import { Bus } from '#bus';
import { freshNats, type FreshNats } from '../../../test/support/index.js';
import {
  busOptions,
  newComputePlan,
  sendComputePlan,
  sendSurely,
  startPlanner,
  type PlannerUnderTest,
} from './planner-under-test.js';

let nats: FreshNats;
let coordinator: Bus;
let planner: PlannerUnderTest;

beforeEach(async () => {
  nats = await freshNats();
  coordinator = await Bus.open(busOptions(nats, 'coordinator'));
  planner = await startPlanner(nats);
});
afterEach(async () => {
  await planner.close();
  await coordinator.onApplicationShutdown();
  await nats.stop();
});

const seen = (id: string): number => planner.script.seen.filter((one) => one.id === id).length;

const sendOne = (id?: string): Promise<string> => sendSurely(coordinator, newComputePlan(), id);
const expectHandled = (id: string) =>
  waitFor(() => seen(id) > 0, { what: `the handler to see ${id}`, deadlineMs: 60_000 });

/** By the catalogue nobody may delete a stream, or another's consumer. */
async function asAdministrator<T>(work: (manager: JetStreamManager) => Promise<T>): Promise<T> {
  const admin = await connect({ servers: nats.url, ...nats.admin });
  try {
    return await work(await jetstreamManager(admin));
  } finally {
    await admin.close();
  }
}

describe('a broker that', () => {
  it('is restarted in the middle of consumption gives all it took to the handlers', async () => {
    await expectHandled(await sendOne());
    const ids = Array.from({ length: 40 }, () => systemIds.next('msg'));
    const sending = Promise.all(ids.map((id) => sendOne(id)));
    await nats.server.restart();
    await sending;
    await Promise.all(ids.map((id) => expectHandled(id)));
    expect(planner.letters.kept).toEqual([]);
  });

  it('is killed and comes back gives all it took to the handlers', async () => {
    const ids = Array.from({ length: 40 }, () => systemIds.next('msg'));
    const sending = Promise.all(ids.map((id) => sendOne(id)));
    await nats.server.kill();
    await nats.server.restart();
    await sending;
    await Promise.all(ids.map((id) => expectHandled(id)));
  });

  it('comes back without its store gets its streams and its consumer again', async () => {
    await expectHandled(await sendOne());
    const before = coordinator.eventStreamCreated();
    expect(before).toBeDefined();
    await nats.server.wipe();
    await expectHandled(await sendOne());
    const manager = await coordinator.manager();
    // another stream than before, and known to be
    await waitFor(
      async () => {
        const now = coordinator.eventStreamCreated();
        return now !== before && now === (await manager.streams.info(EVENT_STREAM)).created;
      },
      { what: 'the bus to know of the new stream', deadlineMs: 60_000 },
    );
    for (const stream of [COMMAND_STREAM, EVENT_STREAM]) {
      expect((await manager.streams.info(stream)).config.name).toBe(stream);
    }
  });

  it('comes back without its store while a command is handled lets it end, and goes on', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    planner.script.computePlan = () => held;
    const first = await sendOne();
    await expectHandled(first);
    await nats.server.wipe();
    release();
    planner.script.computePlan = () => Promise.resolve();
    const second = await sendOne();
    await expectHandled(second);
    expect(seen(first)).toBe(1);
  });

  it('was wiped while its owner was down has another event stream, which only a wipe gives it', async () => {
    const before = coordinator.eventStreamCreated();
    await coordinator.onApplicationShutdown();
    await nats.server.restart();
    coordinator = await Bus.open(busOptions(nats, 'coordinator'));
    expect(coordinator.eventStreamCreated()).toBe(before);
    await coordinator.onApplicationShutdown();
    await nats.server.wipe();
    coordinator = await Bus.open(busOptions(nats, 'coordinator'));
    expect(coordinator.eventStreamCreated()).toBeDefined();
    expect(coordinator.eventStreamCreated()).not.toBe(before);
    await expectHandled(await sendOne());
  });

  it('loses a stream while it runs gets it again', async () => {
    await expectHandled(await sendOne());
    await asAdministrator((manager) => manager.streams.delete(COMMAND_STREAM));
    await expectHandled(await sendOne());
  });

  it('loses a consumer while it runs gets it again', async () => {
    await expectHandled(await sendOne());
    const made = (): Promise<string> =>
      asAdministrator(
        async (manager) => (await manager.consumers.info(COMMAND_STREAM, 'main-planner')).created,
      );
    const before = await made();
    // 2.9 writes the consumer's state while it deletes its folder, and may complain of that: it is gone all the same
    await asAdministrator((manager) =>
      manager.consumers.delete(COMMAND_STREAM, 'main-planner'),
    ).catch((error: unknown) => {
      if (!String(error).includes('directory not empty')) throw error;
    });
    await expectHandled(await sendOne());
    expect(await made()).not.toBe(before);
  });

  it('is away makes a publisher fail at once, and told so', async () => {
    await nats.server.stop();
    await waitFor(() => !coordinator.isConnected(), {
      what: 'the bus to see it',
      deadlineMs: 60_000,
    });
    await expect(sendComputePlan(coordinator)).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
    let back = 0;
    coordinator.onReconnect(() => {
      back += 1;
    });
    await nats.server.restart();
    await waitFor(() => coordinator.isConnected() && back === 1, {
      what: 'the bus to be back',
      deadlineMs: 60_000,
    });
    await expectHandled(await sendOne());
  });

  it('breaks off while it is asked does not let a publisher wait for an answer that will not come', async () => {
    // the broker is stopped (SIGSTOP): it takes the bytes and says nothing; then it is killed
    const breakOff = async (): Promise<{ readonly error: unknown; readonly tookMs: number }> => {
      process.kill(nats.server.pid, 'SIGSTOP');
      const began = performance.now();
      const sending = sendComputePlan(coordinator).then(
        () => undefined,
        (error: unknown) => LiftlockError.from(error),
      );
      await nats.server.kill();
      const error = await sending;
      const tookMs = performance.now() - began;
      await nats.server.restart();
      await expectHandled(await sendOne());
      return { error, tookMs };
    };
    // on a machine that stands still the 5 s that an answer may take are over before the end is seen
    let broken = await breakOff();
    for (let again = 0; broken.tookMs > 4_000 && again < 4; again += 1) broken = await breakOff();
    expect(broken.error).toMatchObject({ code: 'unavailable', message: 'NATS is out of reach' });
  });

  it('is away does not keep a service from ending', async () => {
    await nats.server.stop();
    await waitFor(() => !coordinator.isConnected(), {
      what: 'the bus to see it',
      deadlineMs: 60_000,
    });
    await planner.close();
    await coordinator.onApplicationShutdown();
    await nats.server.restart();
    coordinator = await Bus.open(busOptions(nats, 'coordinator'));
    planner = await startPlanner(nats);
    await expectHandled(await sendOne());
  });
});

describe('events', () => {
  it('published before the broker was wiped can be published again under their old ids', async () => {
    const subject = eventSubject('test', 'shop', systemIds.next('upg'), 'upgrade-created');
    const event = { subject, id: 'same', payload: '{}' };
    const count = (): Promise<number> =>
      waitFor(
        async () => (await (await coordinator.manager()).streams.info(EVENT_STREAM)).state.messages,
        { what: 'the broker to say what it has', deadlineMs: 60_000 },
      );
    const publish = (): Promise<boolean> =>
      waitFor(() => coordinator.publish(event).then(() => true), {
        what: 'the broker to take it',
        deadlineMs: 60_000,
      });
    await publish();
    await publish();
    expect(await count()).toBe(1);
    await nats.server.wipe();
    await publish();
    expect(await count()).toBe(1);
  });
});
