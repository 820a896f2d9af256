import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LiftlockError, waitFor } from '#kernel';
import { COMMAND_STREAM, commandConsumer, commandSubject } from '#contracts';
import { Bus } from '#bus';
import { freshNats, type FreshNats } from '../../../test/support/index.js';
import {
  ComputePlanHandler,
  allControllers,
  busOptions,
  newComputePlan,
  sendSurely,
  startPlanner,
  type PlannerUnderTest,
} from './planner-under-test.js';

/**
 * What was delivered counts as lost after the ack wait, and comes again: longer than any machine stands still, where deliveries are
 * counted.
 */
const PATIENT_SECONDS = 120;
/** What the product has. */
const ACK_WAIT_SECONDS = 10;

let nats: FreshNats;
let coordinator: Bus;
/** No service sees another's consumer. */
let administrator: NatsConnection;
let manager: JetStreamManager;
let planner: PlannerUnderTest;

beforeAll(async () => {
  nats = await freshNats();
  coordinator = await Bus.open(busOptions(nats, 'coordinator'));
  administrator = await connect({ servers: nats.url, ...nats.admin });
  manager = await jetstreamManager(administrator);
});
afterAll(async () => {
  await administrator.close();
  await coordinator.onApplicationShutdown();
  await nats.stop();
});
beforeEach(async () => {
  planner = await startPlanner(nats, { ackWaitSeconds: PATIENT_SECONDS });
});
afterEach(async () => {
  await planner.close();
});

/** A planner in the place of the one before, with another ack wait. */
async function startWithAckWait(seconds: number): Promise<void> {
  await planner.close();
  await manager.consumers.update(COMMAND_STREAM, commandConsumer('planner'), {
    ack_wait: seconds * 1_000_000_000,
  });
  planner = await startPlanner(nats, { ackWaitSeconds: seconds });
}

const seen = (id: string): number => planner.script.seen.filter((one) => one.id === id).length;

/** Nothing is pending and nothing waits for its answer. */
async function expectSettled(): Promise<void> {
  await waitFor(
    async () => {
      const info = await manager.consumers.info(COMMAND_STREAM, commandConsumer('planner'));
      return info.num_pending === 0 && info.num_ack_pending === 0;
    },
    { what: 'the consumer to have nothing left', deadlineMs: 60_000 },
  );
}

describe('a command', () => {
  it('reaches its handler once, as the catalogue says, and is gone', async () => {
    const data = newComputePlan();
    const id = await sendSurely(coordinator, data);
    await waitFor(() => seen(id) === 1, { what: 'the command', deadlineMs: 60_000 });
    expect(planner.script.seen.find((one) => one.id === id)?.data).toEqual(data);
    await expectSettled();
    expect(seen(id)).toBe(1);
  });

  it('sent twice under one id is one message', async () => {
    const data = newComputePlan();
    const id = await sendSurely(coordinator, data);
    await sendSurely(coordinator, data, id);
    const after = await sendSurely(coordinator);
    await waitFor(() => seen(after) === 1, { what: 'the message behind it', deadlineMs: 60_000 });
    expect(seen(id)).toBe(1);
  });

  it('whose handler asks for patience comes again after it, not at once', async () => {
    const times: number[] = [];
    planner.script.computePlan = () => {
      times.push(performance.now());
      return times.length < 3
        ? Promise.reject(new LiftlockError('unavailable', 'not now', { retryAfterMs: 400 }))
        : Promise.resolve();
    };
    const id = await sendSurely(coordinator);
    await waitFor(() => times.length === 3, { what: 'the third try', deadlineMs: 60_000 });
    const [first = 0, second = 0, third = 0] = times;
    expect(Math.min(second - first, third - second)).toBeGreaterThan(350);
    await expectSettled();
    expect(seen(id)).toBe(3);
    expect(planner.letters.kept).toEqual([]);
  });

  it('whose handler throws something that is not ours is tried again with the back-off of the contract', async () => {
    let tries = 0;
    planner.script.computePlan = () => {
      tries += 1;
      return tries < 3 ? Promise.reject(new TypeError('oops')) : Promise.resolve();
    };
    await sendSurely(coordinator);
    await waitFor(() => tries === 3, { what: 'the third try', deadlineMs: 60_000 });
    await expectSettled();
    expect(planner.letters.kept).toEqual([]);
  });

  it('that can never be handled becomes one dead letter, and never comes again', async () => {
    planner.script.computePlan = () =>
      Promise.reject(new LiftlockError('unplannable', 'there is no way'));
    const id = await sendSurely(coordinator);
    await waitFor(() => planner.letters.kept.length === 1, {
      what: 'the dead letter',
      deadlineMs: 60_000,
    });
    expect(planner.letters.kept[0]).toMatchObject({
      messageId: id,
      subject: commandSubject('compute-plan', 'planner'),
      error: { code: 'unplannable', message: 'there is no way' },
      deliveries: 1,
    });
    await expectSettled();
    await planner.close();
    const before = planner.letters.kept.length;
    planner = await startPlanner(nats, { ackWaitSeconds: PATIENT_SECONDS });
    const after = await sendSurely(coordinator);
    await waitFor(() => seen(after) === 1, { what: 'the message behind it', deadlineMs: 60_000 });
    expect([before, planner.letters.kept.length, seen(id)]).toEqual([1, 0, 0]);
  });

  it.each([
    ['with data that the catalogue does not know', { upgrade: 'nonsense' }],
    ['without data', undefined],
  ])(
    '%s never reaches a handler and is a dead letter that names the field',
    async (_name, data) => {
      const id = await sendSurely(coordinator, data ?? null);
      await waitFor(() => planner.letters.kept.length === 1, {
        what: 'the dead letter',
        deadlineMs: 60_000,
      });
      expect(planner.letters.kept[0]).toMatchObject({
        messageId: id,
        error: { code: 'invalid_request', retryable: false },
      });
      if (data !== undefined) {
        expect(planner.letters.kept[0]?.error.issues?.map(({ pointer }) => pointer)).toContain(
          '/upgrade',
        );
      }
      await expectSettled();
      expect(planner.script.seen).toEqual([]);
    },
  );

  it.each([
    ['is not JSON', 'what is this'],
    ['is no envelope', '{"hello":"world"}'],
    [
      'has a name that the catalogue does not know',
      JSON.stringify({ id: 'x', name: 'fly', version: 1, at: '', from: 'coordinator', data: {} }),
    ],
    [
      'has a version of tomorrow',
      JSON.stringify({
        id: 'x',
        name: 'compute-plan',
        version: 9,
        at: '',
        from: 'coordinator',
        data: {},
      }),
    ],
  ])('that %s is a dead letter at once', async (_name, payload) => {
    const odd = {
      subject: commandSubject('compute-plan', 'planner'),
      id: `odd-${Math.random()}`,
      payload,
    };
    await waitFor(() => coordinator.publish(odd).then(() => true), {
      what: 'the broker to take it',
      deadlineMs: 60_000,
    });
    await waitFor(() => planner.letters.kept.length === 1, {
      what: 'the dead letter',
      deadlineMs: 60_000,
    });
    await expectSettled();
    expect(planner.letters.kept).toHaveLength(1);
    expect(planner.script.seen).toEqual([]);
  });

  it('whose dead letter cannot be kept is not lost', async () => {
    planner.letters.failures = 1;
    planner.script.computePlan = () =>
      Promise.reject(new LiftlockError('unplannable', 'there is no way'));
    await sendSurely(coordinator);
    await waitFor(() => planner.letters.kept.length === 1, {
      what: 'the dead letter',
      deadlineMs: 60_000,
    });
    await expectSettled();
    expect(planner.letters.kept).toHaveLength(1);
  });

  it('does not wait for a slow one before it', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = newComputePlan();
    planner.script.computePlan = (data) =>
      data.upgrade === slow.upgrade ? held : Promise.resolve();
    await sendSurely(coordinator, slow);
    const quick = await sendSurely(coordinator);
    await waitFor(() => seen(quick) === 1, { what: 'the quick one', deadlineMs: 60_000 });
    release();
    await expectSettled();
  });

  it('is handled beside at most 32 others, and none is lost when more come', async () => {
    let running = 0;
    let most = 0;
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    planner.script.computePlan = async () => {
      running += 1;
      most = Math.max(most, running);
      // however slowly they come, so many do run side by side
      if (running === 32) open();
      await gate;
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
      running -= 1;
    };
    const ids = await Promise.all(Array.from({ length: 300 }, () => sendSurely(coordinator)));
    await waitFor(() => ids.every((id) => seen(id) > 0), { what: 'all 300', deadlineMs: 60_000 });
    await expectSettled();
    expect(most).toBe(32);
    expect(ids.every((id) => seen(id) === 1)).toBe(true);
  });
});

describe('a command, with the ack wait of the product,', () => {
  beforeEach(() => startWithAckWait(ACK_WAIT_SECONDS));
  afterEach(() => startWithAckWait(PATIENT_SECONDS));

  it('that the process never survived is a dead letter after a bounded number of deliveries', async () => {
    /** @returns its id. */
    const neverSurvived = async (): Promise<string> => {
      await planner.close();
      const id = await sendSurely(coordinator);
      // a crash leaves no error behind, only the count of deliveries: here, naks at once under the planner's own name. The last one is
      // left to the ack wait, as a crash does
      const dying = await Bus.open(busOptions(nats, 'planner'));
      const consumer = await waitFor(
        () => dying.jetstream.consumers.get(COMMAND_STREAM, commandConsumer('planner')),
        { what: 'the consumer', deadlineMs: 60_000 },
      );
      const messages = await consumer.consume({ max_messages: 10 });
      for await (const message of messages) {
        if (message.info.deliveryCount >= 200) break;
        message.nak();
      }
      await dying.onApplicationShutdown();
      planner = await startPlanner(nats, { ackWaitSeconds: ACK_WAIT_SECONDS });
      await waitFor(() => planner.letters.kept.length > 0 || seen(id) > 0, {
        what: 'the dead letter',
        deadlineMs: 120_000,
      });
      return id;
    };
    // 2.9 counts from 1 again when it delivers again and finds only requests of the dead: so it does where a machine stands still for
    // the ack wait before the planner is back
    let id = await neverSurvived();
    for (let again = 0; seen(id) > 0 && again < 4; again += 1) id = await neverSurvived();
    await expectSettled();
    expect(planner.letters.kept).toMatchObject([
      { messageId: id, error: { code: 'internal', retryable: false } },
    ]);
    expect(planner.letters.kept[0]?.deliveries).toBeGreaterThan(200);
    expect(seen(id)).toBe(0);
  }, 900_000);

  it('that takes longer than the ack wait is not delivered a second time', async () => {
    const countOfOne = async (): Promise<number> => {
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      planner.script.computePlan = () => held;
      const id = await sendSurely(coordinator);
      await waitFor(() => seen(id) > 0, { what: 'the command', deadlineMs: 60_000 });
      const until = performance.now() + ACK_WAIT_SECONDS * 1_000 + 2_000;
      await waitFor(() => performance.now() > until, {
        what: 'the ack wait to pass',
        deadlineMs: 90_000,
        everyMs: 250,
      });
      release();
      await expectSettled();
      return seen(id);
    };
    // a machine that stands still for the ack wait says nothing in it: only what comes twice again and again is not kept
    const counts: number[] = [];
    do counts.push(await countOfOne());
    while (counts.at(-1) !== 1 && counts.length < 5);
    expect(counts.at(-1), `seen ${counts.join(', ')} times`).toBe(1);
  }, 300_000);
});

describe('a service without a handler', () => {
  it('for a command does not start, and says which and what to do', async () => {
    const without = allControllers.filter((type) => type !== ComputePlanHandler);
    await expect(startPlanner(nats, { controllers: without })).rejects.toThrow(
      /planner has no handler for .*compute-plan.*commandHandlers/,
    );
  });

  it('for a query does not start, and says which and what to do', async () => {
    await expect(startPlanner(nats, { controllers: [ComputePlanHandler] })).rejects.toThrow(
      /planner has no handler for .*get-plan.*queryHandlers/,
    );
  });
});
