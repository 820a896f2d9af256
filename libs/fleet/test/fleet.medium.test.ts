import { readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  EmbeddedFleet,
  ensureFleet,
  freePort,
  identify,
  isAlive,
  isPortFree,
  psRows,
  readFleet,
  runDown,
  runPs,
  runUp,
  signalProcess,
  withClient,
  type FleetOptions,
} from '#fleet';
import { waitFor } from '#kernel';
import { newFolder } from '../../../test/support/shared-servers.js';
import { readState, stateFile, writeState, type FleetState } from '../src/fleet-state.js';
import { buildFixture, FEW } from './fixture-service.js';

let folder: string;
let options: FleetOptions;
const lines: string[] = [];

beforeEach(async () => {
  const base = newFolder('fleet');
  folder = join(base, '.liftlock');
  lines.length = 0;
  options = {
    folder,
    root: buildFixture(join(base, 'root')),
    apps: FEW,
    // the usual one is taken and left by whatever fleet is on this machine
    port: await freePort(),
    fsync: false,
    tied: true,
    env: { FIXTURE_LEDGER: join(base, 'ledger') },
    log: (line) => void lines.push(line),
  };
});
afterEach(async () => {
  await runDown({ folder, log: () => undefined });
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

function state(): FleetState {
  const found = readState(folder);
  if (found === undefined) throw new Error('no state');
  return found;
}

function pids(): number[] {
  const { servers, services } = state();
  return [...Object.values(servers), ...services].flatMap(({ identity }) =>
    identity ? [identity.pid] : [],
  );
}

function enginePids(): number[] {
  const { identity } = state().engine;
  return identity === undefined ? [] : [identity.pid];
}

function starts(): { pid: number; env: Record<string, string> }[] {
  return readFileSync(join(folder, '..', 'ledger'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as never);
}

describe('up', () => {
  test('starts servers and services, ps shows them, down leaves no process, and up again has the data', async () => {
    expect(await runUp(options)).toBe(0);
    expect(await runPs({ folder, log: () => undefined })).toBe(0);
    const first = readFleet(folder);
    const ran = pids();
    expect(ran).toHaveLength(5);
    const admin = `postgres://postgres:${state().passwords.postgres}@127.0.0.1:${state().servers.postgres.port}/liftlock`;
    await withClient(admin, (client) => client.query('CREATE TABLE gateway.kept AS SELECT 1'));
    expect(await runDown({ folder, log: options.log })).toBe(0);
    expect(ran.filter((pid) => identify(pid))).toEqual([]);
    expect(await runPs({ folder, log: () => undefined })).toBe(1);

    expect(await runUp(options)).toBe(0);
    expect(readFleet(folder)).toEqual(first);
    await withClient(admin, (client) => client.query('SELECT * FROM gateway.kept'));
  });

  test('a second up says so and starts nothing', async () => {
    await runUp(options);
    const before = pids();
    expect(await runUp(options)).toBe(0);
    expect(lines.at(-1)).toBe(`already up: ${readFleet(folder)?.url}`);
    expect(pids()).toEqual(before);
  });

  test('what stands still for a while is kept, the engine with its containers, too', async () => {
    await ensureFleet({ ...options, docker: true });
    // where the machine has an engine, none is our own
    const all = (): number[] => [...pids(), ...enginePids()];
    const before = all();
    for (const pid of before) process.kill(pid, 'SIGSTOP');
    setTimeout(() => before.forEach((pid) => process.kill(pid, 'SIGCONT')), 10_000);
    expect(await ensureFleet({ ...options, docker: true })).toMatchObject({ wasUp: true });
    expect(all()).toEqual(before);
  });

  test('two at once: one starts the fleet, the other waits for it', async () => {
    expect(await Promise.all([runUp(options), runUp(options)])).toEqual([0, 0]);
    expect(starts()).toHaveLength(2);
  });

  test('a half-started fleet is completed: what runs is kept, what died is replaced on its port', async () => {
    await runUp(options);
    const before = state();
    const executor = before.services.find(({ app }) => app === 'executor');
    for (const identity of [before.servers.redis.identity, executor?.identity]) {
      if (identity) signalProcess(identity, 'SIGKILL');
    }
    await waitFor(
      async () => (await psRows(folder)).filter(({ status }) => status === 'gone').length === 2,
      { what: 'both are gone', deadlineMs: 60_000 },
    );
    expect(await runUp(options)).toBe(0);
    const after = state();
    expect(after.servers.postgres).toEqual(before.servers.postgres);
    expect(after.servers.redis.port).toBe(before.servers.redis.port);
    expect(after.servers.redis.identity).not.toEqual(before.servers.redis.identity);
    expect(after.services.find(({ app }) => app === 'gateway')).toEqual(
      before.services.find(({ app }) => app === 'gateway'),
    );
  });

  test('a server whose port was taken while it was down moves, and the services learn it', async () => {
    await runUp(options);
    const { port } = state().servers.nats;
    await runDown({ folder, log: options.log });
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve));
    try {
      expect(await runUp(options)).toBe(0);
      const moved = state().servers.nats.port;
      expect(moved).not.toBe(port);
      expect(starts().at(-1)?.env['NATS_URL']).toBe(`nats://127.0.0.1:${moved}`);
    } finally {
      squatter.close();
    }
  });

  test('a gateway port that is taken is left alone', async () => {
    const squatter = createServer();
    const port = await new Promise<number>((resolve) =>
      squatter.listen(0, '127.0.0.1', () => resolve((squatter.address() as { port: number }).port)),
    );
    try {
      expect(await runUp({ ...options, port })).toBe(0);
      expect(readFleet(folder)?.url).not.toContain(`:${port}`);
    } finally {
      squatter.close();
    }
  });

  test('a service that breaks at once: the error shows its words, and nothing is left running', async () => {
    const broken = { ...options, appEnv: { executor: { FIXTURE_BREAKS: '1' } } };
    await expect(runUp(broken)).rejects.toThrow(
      /executor ended before it answered: broken on purpose/,
    );
    expect((await psRows(folder)).map(({ status }) => status)).not.toContain('running');
    expect(await isPortFree(state().servers.nats.port ?? 0)).toBe(true);
  });

  test('Ctrl-C in mid-start stops all that was started', async () => {
    const slow = { ...options, appEnv: { executor: { FIXTURE_NEVER_READY: '1' } } };
    const up = runUp(slow);
    await waitFor(() => readState(folder)?.services.length === 2, {
      what: 'services start',
      deadlineMs: 60_000,
    });
    const ran = pids();
    process.emit('SIGINT', 'SIGINT');
    expect(await up).toBe(130);
    expect(ran).toHaveLength(5);
    expect(ran.filter((pid) => identify(pid))).toEqual([]);
    expect(await isPortFree(state().servers.postgres.port ?? 0)).toBe(true);
  });

  test('more replicas, then fewer: the surplus ends', async () => {
    const fleet = await EmbeddedFleet.start({ ...options, replicas: { executor: 2 } });
    const second = fleet.replicas('executor')[1];
    expect(second?.isRunning()).toBe(true);
    expect(await runUp(options)).toBe(0);
    expect(second?.isRunning()).toBe(false);
    expect(state().services).toHaveLength(2);
  });

  test('a service restarts on its port with its environment, and down knows the new process', async () => {
    const fleet = await EmbeddedFleet.start(options);
    const executor = fleet.service('executor');
    const { port } = executor;
    await executor.kill9();
    await executor.restart();
    expect(executor.port).toBe(port);
    await fleet.stop();
    expect(executor.isRunning()).toBe(false);
  });
});

describe('the state file', () => {
  test('is for its owner only, for it holds the passwords', async () => {
    await runUp(options);
    expect(statSync(stateFile(folder)).mode & 0o777).toBe(0o600);
  });

  test('stale after a reboot, its pids now given to others: none of these is ever signalled', async () => {
    await runUp(options);
    const stale = state();
    await runDown({ folder, log: options.log });
    const innocent = identify(process.pid);
    if (innocent === undefined) throw new Error('we run');
    const pretenders = [
      { ...innocent, startTicks: '1' },
      { ...innocent, bootId: '00000000-0000-0000-0000-000000000000' },
    ];
    for (const identity of pretenders) {
      const parts = [...Object.values(stale.servers), ...stale.services];
      for (const part of parts) part.identity = identity;
      writeState(folder, stale);
      expect((await psRows(folder)).every(({ status }) => status === 'gone')).toBe(true);
      expect(await runDown({ folder, log: options.log })).toBe(0);
    }
    expect(lines.at(-1)).toBe('not up');
    expect(isAlive(innocent)).toBe(true);
  });

  test('damaged: refused with what to do, and nothing is started', async () => {
    await runUp(options);
    const ran = state();
    writeState(folder, { ...ran, format: 2 } as never);
    await expect(runUp(options)).rejects.toThrow(/state\.json cannot be read .* remove/);
    writeState(folder, ran);
  });
});
