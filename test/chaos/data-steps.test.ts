import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import type { HistoryEvent } from '#contracts';
import { identify, isAlive, signalProcess, type ProcessIdentity } from '#fleet';
import { waitFor } from '#kernel';
import { ApiClient } from '../support/api-client.js';
import { newFolder } from '../support/data-tree.js';
import { startDocker } from '../support/docker.js';
import { openEngine } from '../support/engine-client.js';
import { freshFleet, type FreshFleet } from '../support/fleet.js';
import { HeldEngine, type Way } from '../support/held-engine.js';
import { LoneService } from '../support/lone-service.js';

/** More than an engine's way keeps to itself before it is let go. */
const LARGE = 64 * 1024 * 1024;

const folder = newFolder();
const repository = join(folder, 'fleet', 'data', 'backup');
let fleet: FreshFleet;
let api: ApiClient;
let docker: Docker;
let host: string;
/** Tars go no further than into the middle on it. */
let held: HeldEngine;
const services: LoneService[] = [];

beforeAll(async () => {
  mkdirSync(repository, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2g', 'tmpfs', repository]);
  [{ host }, { docker }] = await Promise.all([startDocker(), openEngine()]);
  fleet = await freshFleet({
    folder: join(folder, 'fleet'),
    // so that the repository is found to be full in the middle of an archive, and not before it
    env: { LIFTLOCK_DRIVERS: 'docker', LIFTLOCK_BACKUP_RATIO: '0.01' },
  });
  api = new ApiClient(fleet.fleet.url, fleet.fleet.token, 120_000);
});
beforeEach(async () => {
  held = await HeldEngine.before({ host });
});
afterEach(() => held.stop());
afterAll(async () => {
  for (const service of services) await service.remove();
  await fleet?.fleet.stop();
  execFileSync('umount', [repository]);
  rmSync(folder, { recursive: true, force: true });
});

async function serviceWithLargeData(on: { readonly host: string }): Promise<LoneService> {
  const engine = { docker, host: on.host };
  const one = await LoneService.start(api, engine, folder, 'unless-stopped');
  services.push(one);
  writeFileSync(join(one.data, 'large'), randomBytes(LARGE));
  return one;
}

/** Tars that were struck: one that is killed is there for a moment longer. */
const struck = new Set<string>();
const keyOf = ({ pid, startTicks }: ProcessIdentity): string => `${pid} ${startTicks}`;

/** What /proc says about a process, or nothing when it has ended meanwhile. */
function said(pid: number, read: (folder: string) => string): string {
  try {
    return read(`/proc/${pid}`);
  } catch {
    return '';
  }
}
const fileOf = (pid: number, name: string): string =>
  said(pid, (folder) => readFileSync(join(folder, name), 'utf8'));
const processes = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

/** A tar that does what is said to the service's data. By the time that the engine had been asked for it, it might be done. */
function findTar(service: LoneService, doing: string): ProcessIdentity | undefined {
  return processes()
    .filter((pid) => fileOf(pid, 'cmdline').split('\0').includes(doing))
    .filter((pid) => fileOf(pid, 'mountinfo').includes(`${service.name}/data`))
    .map(identify)
    .find((tar) => tar !== undefined && !struck.has(keyOf(tar)));
}

/** The first process of the container that another is in. */
function firstBeside({ pid }: ProcessIdentity): ProcessIdentity | undefined {
  const namespace = (one: number): string =>
    said(one, (folder) => readlinkSync(join(folder, 'ns', 'pid')));
  const first = processes()
    .filter((one) => namespace(one) === namespace(pid))
    .find((one) => /^NSpid:.*\s1$/m.test(fileOf(one, 'status')));
  return first === undefined ? undefined : identify(first);
}

/** Stops a process where it is. @returns whether it was caught, and had not ended before. */
function stop(one: ProcessIdentity): Promise<boolean> {
  const isStopped = (): boolean => /^State:\s*T/m.test(fileOf(one.pid, 'status'));
  signalProcess(one, 'SIGSTOP');
  return waitFor(() => (isAlive(one) ? isStopped() && 'stopped' : 'ended'), {
    ...{ what: `process ${one.pid} is stopped`, deadlineMs: 60_000, everyMs: 1 },
  }).then((outcome) => outcome === 'stopped');
}

const WAYS: Readonly<Record<string, Way>> = { '--create': 'read', '--extract': 'written' };

/** Kills a helper that works on the service's data, or only the tar in it, in the middle of what is said. */
async function kill(service: LoneService, what: 'helper' | 'tar', doing: string): Promise<void> {
  const way = WAYS[doing] ?? 'read';
  await waitFor(() => held.holds(way), { what: `a tar ${doing}`, deadlineMs: 300_000 });
  await waitFor(
    async () => {
      const tar = findTar(service, doing);
      // one that stands still cannot end before it is struck
      if (tar === undefined || !(await stop(tar))) return false;
      const victim = what === 'tar' ? tar : firstBeside(tar);
      if (victim === undefined || !signalProcess(victim, 'SIGKILL')) return false;
      struck.add(keyOf(tar));
      return true;
    },
    { what: `a helper with tar ${doing}`, deadlineMs: 120_000, everyMs: 5 },
  );
  held.letGo(way);
}

const of = (history: readonly HistoryEvent[], type: string, step: RegExp): HistoryEvent[] =>
  history.filter((event) => event.type === type && step.test(String(event.data['step'])));
const errors = (events: readonly HistoryEvent[]): unknown[] =>
  events.map(({ data }) => z.looseObject({ code: z.string() }).parse(data['error']).code);

async function expectAsBefore(
  service: LoneService,
  before: { id: string; digest: string },
): Promise<void> {
  await waitFor(async () => (await service.containers()).length === 1, {
    ...{ what: `nothing but ${service.name} is left`, deadlineMs: 60_000 },
  });
  const { Id, State, HostConfig } = await service.inspect();
  expect([Id, State.Running, HostConfig.RestartPolicy?.Name]).toEqual([
    ...[before.id, true, 'unless-stopped'],
  ]);
  expect(service.digest()).toBe(before.digest);
  expect(service.violations()).toBe('');
}

const stateOf = async (service: LoneService): Promise<{ id: string; digest: string }> => ({
  id: (await service.inspect()).Id,
  digest: service.digest(),
});

/** Whatever lies in the repository, by its path. */
const kept = (): string[] =>
  readdirSync(repository, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

it('kill -9 of the helper and of tar in it, in mid-snapshot and mid-restore: each is begun anew, and the data is as before to the byte', async () => {
  const service = await serviceWithLargeData(held);
  const before = await stateOf(service);
  const id = await service.upgrade('3.0');
  await kill(service, 'helper', '--create');
  await kill(service, 'tar', '--create');
  held.open('read');
  await kill(service, 'tar', '--extract');
  await kill(service, 'helper', '--extract');
  held.open('written');
  const view = await api.untilEnded(id);
  expect(view.state, view.message).toBe('rolled_back');
  const history = await api.history(id);
  for (const step of [/-snapshot$/, /-restore$/]) {
    const again = of(history, 'step-retrying', step);
    expect(errors(again)).toEqual(['target_unreachable', 'target_unreachable']);
    expect(of(history, 'step-succeeded', step)).toHaveLength(1);
  }
  await expectAsBefore(service, before);
  expect(kept().filter((path) => path.includes(id))).toHaveLength(2);
});

it('a helper that is killed at every try of the snapshot ends the upgrade before anything is replaced', async () => {
  const service = await serviceWithLargeData(held);
  const before = await stateOf(service);
  const id = await service.upgrade('2.0');
  for (const what of ['tar', 'helper', 'tar'] as const) await kill(service, what, '--create');
  const view = await api.untilEnded(id);
  expect(view.state, view.message).toBe('rolled_back');
  expect(view.message).toMatch(/Snapshot.*reading the data of .* failed/);
  expect(of(await api.history(id), 'step-dispatched', /-replace$/)).toEqual([]);
  await expectAsBefore(service, before);
  expect(kept().filter((path) => path.includes(id))).toEqual([]);
});

it('a repository that is full ends the upgrade before anything is replaced, by name; with room again the next one succeeds', async () => {
  const service = await serviceWithLargeData({ host });
  const before = await stateOf(service);
  const others = kept();
  const used = Number(execFileSync('du', ['-sk', repository]).toString().split('\t')[0]);
  // in the middle of the archive
  execFileSync('mount', ['-o', `remount,size=${used + LARGE / 2048}k`, repository]);
  const refused = await service.upgrade('2.0');
  const end = await api.untilEnded(refused);
  expect(end.state, end.message).toBe('rolled_back');
  expect(end.message).toMatch(/Snapshot.*no space is left for .*make room/);
  const history = await api.history(refused);
  expect(errors(of(history, 'step-failed', /-snapshot$/))).toEqual(['disk_full']);
  expect(of(history, 'step-dispatched', /-replace$/)).toEqual([]);
  await expectAsBefore(service, before);
  expect(kept()).toEqual(others);
  const backups = async (): Promise<string> =>
    JSON.stringify((await api.insist('GET', `/v1/backups?application=${service.name}`)).body);
  expect(await backups()).not.toContain(refused);
  execFileSync('mount', ['-o', 'remount,size=2g', repository]);
  const id = await service.upgrade('2.0');
  const view = await api.untilEnded(id);
  expect(view.state, view.message).toBe('succeeded');
  expect(await backups()).toContain(id);
  expect(service.violations()).toBe('');
});
