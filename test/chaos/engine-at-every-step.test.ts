import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cloudEvent } from '#contracts';
import { waitFor } from '#kernel';
import { ApiClient } from '../support/api-client.js';
import { newFolder } from '../support/data-tree.js';
import { freshFleet, type FreshFleet } from '../support/fleet.js';
import { LoneService } from '../support/lone-service.js';
import { OwnEngine } from '../support/own-engine.js';

const FORWARD = ['image-1', 'web-unchanged', 'stop', 'snapshot', 'replace', 'check'];
const UP = [...FORWARD, 'remove-old'];
const BACK = [...FORWARD, 'stop-new', 'restore', 'restore-old', 'check-old', 'remove-new'];

const folder = newFolder();
let engine: OwnEngine;
let fleet: FreshFleet;
let api: ApiClient;
let nats: NatsConnection;

beforeAll(async () => {
  [engine, fleet] = await Promise.all([
    OwnEngine.start(),
    freshFleet({ env: { LIFTLOCK_DRIVERS: 'docker' } }),
  ]);
  api = new ApiClient(fleet.fleet.url, fleet.fleet.token, 300_000);
  nats = await connect(fleet.fleet.natsLogin('subscriber'));
});
afterAll(async () => {
  await nats?.close();
  await fleet?.stop();
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What is told of an environment's upgrade. */
interface Told {
  /** Its steps, as they are sent. */
  readonly sent: Set<string>;
  /** All of it was told. */
  hasEnded: boolean;
}

const ENDED = /\.upgrade-(succeeded|rolled-back|failed|needs-attention)\./;

async function toldIn(environment: string): Promise<Told> {
  const told: Told = { sent: new Set<string>(), hasEnded: false };
  nats.subscribe(`liftlock.event.${environment}.>`, {
    callback: (_error, message) => {
      const { type, data } = cloudEvent.parse(message.json());
      const step = String((data as { step?: string }).step);
      if (type.includes('step-dispatched')) told.sent.add(step);
      if (ENDED.test(type)) told.hasEnded = true;
    },
  });
  await nats.flush();
  return told;
}

/** Whatever runs on the data besides its one instance, or one helper, as often as it can be asked. */
async function watch(service: LoneService, isOver: () => boolean): Promise<string[]> {
  const seen = new Set<string>();
  while (!isOver()) {
    const running = (await service.containers().catch(() => [])).filter((one) => one.running);
    const instances = running.filter(({ isHelper }) => !isHelper);
    if (instances.length > 1 || (instances.length > 0 && running.length > instances.length))
      seen.add(running.map(({ name }) => name).join(' beside '));
    await delay(50);
  }
  return [...seen];
}

/** Kills the engine at each step as it is sent (in the middle of a start is a case of its own, see docs/drivers/docker.md), and brings it back, with what runs on it or without. */
async function strike(told: Told, isReboot: (kill: number) => boolean): Promise<string[]> {
  const struck = new Set<string>();
  for (let kill = 0; ; kill += 1) {
    const due = await waitFor(
      () => {
        const open = [...told.sent].filter((step) => !struck.has(step));
        // its end may be known before its last steps were told
        return open.length > 0 ? open : told.hasEnded ? [] : undefined;
      },
      { what: 'a step that is sent, or the end', deadlineMs: 400_000, everyMs: 10 },
    );
    if (due.length === 0) return [...struck];
    await engine.kill9();
    for (const step of due) struck.add(step);
    if (isReboot(kill)) await engine.reboot();
    else await engine.comeBack();
  }
}

it.each([
  { to: '2.0', end: 'succeeded', steps: UP, policy: 'always', rebootFirst: false },
  { to: '3.0', end: 'rolled_back', steps: BACK, policy: 'unless-stopped', rebootFirst: true },
] as const)(
  'SIGKILL of the engine or a reboot of the host at every step to $end: never two on the same data',
  async ({ to, end, steps, policy, rebootFirst }) => {
    const service = await LoneService.start(api, engine, folder, policy);
    const before = { digest: service.digest(), container: (await service.inspect()).Id };
    const told = await toldIn(service.name);
    const id = await service.upgrade(to);
    let over = false;
    const view = api.untilEnded(id, 400_000).finally(() => (over = true));
    const [{ state, message }, beside, struck] = await Promise.all([
      view,
      watch(service, () => over),
      strike(told, (kill) => (kill % 2 === 0) === rebootFirst),
    ]);
    expect(state, message).toBe(end);
    expect(service.violations()).toBe('');
    expect(beside).toEqual([]);
    await waitFor(async () => (await service.containers()).length === 1, {
      ...{ what: `nothing but ${service.name} is left`, deadlineMs: 60_000 },
    });
    const { Id, Config, HostConfig } = await service.inspect();
    expect(HostConfig.RestartPolicy?.Name).toBe(policy);
    if (end === 'rolled_back') expect({ digest: service.digest(), container: Id }).toEqual(before);
    else expect(Config.Labels['dev.liftlock.of']).toBe(before.container);
    expect(struck.map((step) => step.replace(/^.*\/(?:\d-)?/, ''))).toEqual(
      expect.arrayContaining([...steps]),
    );
  },
);
