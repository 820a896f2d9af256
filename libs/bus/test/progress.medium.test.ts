import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemIds, waitFor } from '#kernel';
import { COMMAND_STREAM, EVENT_STREAM, progressSubject, type ProgressData } from '#contracts';
import { Bus } from '#bus';
import { freshNats, type FreshNats } from '../../../test/support/index.js';
import { busOptions } from './planner-under-test.js';

type Transfer = ProgressData<'step-transfer'>;

let nats: FreshNats;
let coordinator: Bus;
let mirror: Bus;
let gateway: Bus;
const heard: Transfer[] = [];

beforeAll(async () => {
  nats = await freshNats();
  coordinator = await Bus.open(busOptions(nats, 'coordinator'));
  mirror = await Bus.open(busOptions(nats, 'mirror'));
  gateway = await Bus.open(busOptions(nats, 'gateway'));
  const all = { environment: '*', application: '*', upgrade: '*' };
  gateway.nats.subscribe(progressSubject('step-transfer', all), {
    callback: (_error, message) => void heard.push(message.json()),
  });
  await gateway.nats.flush();
});
afterAll(async () => {
  for (const bus of [mirror, gateway, coordinator]) await bus.onApplicationShutdown();
  await nats.stop();
});

function transfer(more: Partial<Transfer> = {}): Transfer {
  return {
    ...{ upgrade: systemIds.next('upg'), environment: 'prod', application: 'shop' },
    ...{ stepId: 'prepare/mirror/web', token: 1, part: 'copy', state: 'running' },
    ...{ doneBytes: 1, totalBytes: 2, at: '2026-01-01T00:00:00.000Z' },
    ...more,
  };
}

const untilHeard = ({ upgrade }: Transfer) =>
  waitFor(() => heard.some((one) => one.upgrade === upgrade), {
    what: `progress of ${upgrade}`,
    deadlineMs: 60_000,
  });

it('progress reaches who listens, and no stream keeps it', async () => {
  const said = transfer();
  mirror.tell('step-transfer', said);
  await untilHeard(said);
  expect(heard.filter(({ upgrade }) => upgrade === said.upgrade)).toEqual([said]);
  const manager = await coordinator.manager();
  for (const stream of [COMMAND_STREAM, EVENT_STREAM])
    expect((await manager.streams.info(stream)).state.messages).toBe(0);
});

it('what the catalogue does not know is refused where it is said', () => {
  const wrong = transfer({ doneBytes: 1.5 });
  expect(() => mirror.tell('step-transfer', wrong)).toThrow(
    expect.objectContaining({ code: 'internal' }),
  );
});

it('what was said while the broker was away is not told when it is back: it is old by then', async () => {
  await nats.server.kill();
  await waitFor(() => !mirror.isConnected() && !gateway.isConnected(), {
    what: 'the loss to be seen',
    deadlineMs: 60_000,
  });
  const old = transfer();
  mirror.tell('step-transfer', old);
  await nats.server.restart();
  await waitFor(() => mirror.isConnected() && gateway.isConnected(), {
    what: 'both to be back',
    deadlineMs: 60_000,
  });
  await gateway.nats.flush();
  const fresh = transfer();
  mirror.tell('step-transfer', fresh);
  await untilHeard(fresh);
  expect(heard.map(({ upgrade }) => upgrade)).not.toContain(old.upgrade);
});
