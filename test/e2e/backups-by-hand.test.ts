import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { backupPage, backupRun, type BackupRun, type ListedBackup } from '#contracts';
import { waitFor } from '#kernel';
import { ApiClient } from '../support/api-client.js';
import { Cli } from '../support/cli.js';
import { damage, newFolder, treeDigest } from '../support/data-tree.js';
import { startDocker } from '../support/docker.js';
import { openEngine } from '../support/engine-client.js';
import { freshFleet, type FreshFleet } from '../support/fleet.js';
import { HeldEngine } from '../support/held-engine.js';
import { LoneService } from '../support/lone-service.js';

/** More than an engine's way keeps to itself before it is let go. */
const LARGE = 32 * 1024 * 1024;

const folder = newFolder();
let fleet: FreshFleet;
let api: ApiClient;
let cli: Cli;
let docker: Docker;
let host: string;
const services: LoneService[] = [];
const ways: HeldEngine[] = [];

beforeAll(async () => {
  [{ host }, { docker }] = await Promise.all([startDocker(), openEngine()]);
  fleet = await freshFleet({
    env: { LIFTLOCK_DRIVERS: 'docker', LIFTLOCK_LEASE_MS: '20000' },
    appEnv: { backup: { LIFTLOCK_BACKUP_AT_ONCE: '1' } },
  });
  api = new ApiClient(fleet.fleet.url, fleet.fleet.token, 120_000);
  cli = Cli.of(fleet.fleet.url, fleet.fleet.token);
});
afterAll(async () => {
  for (const service of services) await service.remove();
  await fleet?.stop();
  for (const way of ways) await way.stop();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  for (const way of ways) way.open('read');
});

async function newService(on: { readonly host: string } = { host }): Promise<LoneService> {
  const engine = { docker, host: on.host };
  const one = await LoneService.start(api, engine, folder, 'unless-stopped');
  services.push(one);
  return one;
}

/** One whose data is read to the middle, and no further before the way is opened. */
async function heldService(): Promise<{ readonly service: LoneService; readonly way: HeldEngine }> {
  const way = await HeldEngine.before({ host });
  ways.push(way);
  const service = await newService(way);
  writeFileSync(join(service.data, 'large'), randomBytes(LARGE));
  return { service, way };
}
const backupsOf = async ({ name }: LoneService): Promise<ListedBackup[]> => {
  const { stdout } = await cli.run(['backups', 'list', '--application', name, '-o', 'json']);
  return backupPage.shape.items.parse(JSON.parse(stdout));
};
const isRunning = async (service: LoneService): Promise<boolean> =>
  (await service.inspect()).State.Running;

it('create stops, reads, starts again, and restore brings it back: to a folder, and onto the instance', async () => {
  const service = await newService();
  const digest = service.digest();
  const started = (await service.inspect()).State.StartedAt;
  const made = await cli.run(['backups', 'create', `${service.name}/${service.name}/web/host`]);
  expect(made.code, made.stderr).toBe(0);
  expect(made.stdout).toMatch(/web@host is backed up: \d+ files/);
  const now = await service.inspect();
  expect(now.State.Running).toBe(true);
  expect(now.State.StartedAt).not.toBe(started);
  expect(now.HostConfig.RestartPolicy?.Name).toBe('unless-stopped');
  const [backup] = await backupsOf(service);
  expect(backup).toMatchObject({
    ...{ instance: 'web@host', consistency: 'stopped', present: true },
    verification: { state: 'whole' },
  });
  const { upgrade = '' } = backup ?? {};
  expect(upgrade).toMatch(/^bak_/);

  const into = join(folder, `${service.name}-out`);
  const out = await cli.run(['backups', 'restore', upgrade, 'web@host', '--to', into]);
  expect(out.code, out.stderr).toBe(0);
  expect(treeDigest(join(into, 'data'))).toBe(digest);
  const again = await cli.run(['backups', 'restore', upgrade, 'web@host', '--to', into]);
  expect(again.code).not.toBe(0);
  expect(again.stderr).toMatch(/is not empty \(data\)/);

  const onto = ['backups', 'restore', upgrade, 'web@host', '--to', 'web@host'];
  const refused = await cli.run(onto);
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain(`is mounted by what runs: ${service.name}; stop it first`);
  const container = docker.getContainer(service.name);
  await container.stop({ t: 1 });
  damage(service.data);
  const back = await cli.run(onto);
  expect(back.code, back.stdout + back.stderr).toBe(0);
  expect(service.digest()).toBe(digest);
  const pruned = await cli.run([
    ...['backups', 'prune', '--application', service.name, '--keep-last', '1', '--delete'],
  ]);
  expect(pruned.code, pruned.stderr).toBe(0);
  expect(await backupsOf(service)).toHaveLength(1);
});

it('the same key begins it once; no upgrade begins meanwhile, and none is begun beside one', async () => {
  const { service, way } = await heldService();
  const body = { environment: service.name, application: service.name, component: 'web' };
  const key = { 'idempotency-key': randomUUID() };
  const begin = (headers: Record<string, string>): ReturnType<ApiClient['request']> =>
    api.request('POST', '/v1/backups', body, headers);
  const first = await begin(key);
  expect(first.status).toBe(202);
  const run = backupRun.parse(first.body);
  const second = await begin(key);
  expect(second.status).toBe(200);
  expect(backupRun.parse(second.body).id).toBe(run.id);
  const other = await begin({});
  expect(other.status).toBe(409);
  expect(JSON.stringify(other.body)).toContain(run.id);
  await expect(service.upgrade('2.0')).rejects.toThrow(/a backup \(bak_/);
  way.open('read');
  expect((await untilEnded(run.id)).state).toBe('succeeded');
  const id = await service.upgrade('2.0', { bakeSeconds: 600 });
  await api.until(id, 'baking', 300_000);
  expect((await begin({})).status).toBe(409);
});

it('what is more than the service does at a time waits, untouched, for its turn', async () => {
  const [held, waiting] = [await newService(), await newService()];
  const told = join(held.data, '..', 'told');
  const until = 'for i in $(seq 3000); do [ -e /told/go ] && exit 0; sleep 0.1; done; exit 1';
  await pauses(held, { before: script(`touch /told/begun; ${until}`) });
  const begin = async ({ name }: LoneService): Promise<BackupRun> => {
    const body = { environment: name, application: name, component: 'web' };
    return backupRun.parse((await api.request('POST', '/v1/backups', body)).body);
  };
  const first = await begin(held);
  await waitFor(() => existsSync(join(told, 'begun')), {
    ...{ what: 'the first one is at work', deadlineMs: 60_000 },
  });
  const second = await begin(waiting);
  expect(await backupsOf(waiting)).toEqual([]);
  const { body } = await api.request('GET', `/v1/backup-runs/${second.id}`);
  expect(backupRun.parse(body).items).toMatchObject([{ state: 'waiting' }]);
  expect(await isRunning(waiting)).toBe(true);
  writeFileSync(join(told, 'go'), '');
  expect((await untilEnded(first.id)).state).toBe('succeeded');
  expect((await untilEnded(second.id)).state).toBe('succeeded');
});

it('a snapshot that pauses and freezes goes into the upgrade and back, and create leaves the service running', async () => {
  const service = await newService();
  const digest = service.digest();
  const tell = (word: string): object => script(`echo ${word} >> /told/hooks`);
  await pauses(service, { before: tell('frozen'), after: tell('thawed') });
  const before = await service.inspect();
  const made = await cli.run(['backups', 'create', `${service.name}/${service.name}/web`]);
  expect(made.code, made.stdout + made.stderr).toBe(0);
  const now = await service.inspect();
  expect([now.State.StartedAt, now.State.Paused]).toEqual([before.State.StartedAt, false]);
  const told = join(service.data, '..', 'told', 'hooks');
  expect(readFileSync(told, 'utf8')).toBe('frozen\nthawed\n');

  const id = await service.upgrade('3.0');
  const view = await api.untilEnded(id);
  expect(view.state, view.message).toBe('rolled_back');
  expect(readFileSync(told, 'utf8')).toBe('frozen\nthawed\nfrozen\nthawed\n');
  expect(service.digest()).toBe(digest);
  expect(service.violations()).toBe('');
  const shown = await cli.run(['backups', 'show', id, 'h1-web@host']);
  expect(shown.stdout).toMatch(
    /consistency +paused; on the data ran .*; before it sh -c echo frozen/,
  );
});

it('a backup service that is killed leaves nothing stopped and nothing held', async () => {
  const { service, way } = await heldService();
  const before = await service.inspect();
  const body = { environment: service.name, application: service.name, component: 'web' };
  const { id } = backupRun.parse((await api.request('POST', '/v1/backups', body)).body);
  await waitFor(() => way.holds('read'), { what: 'its data is read', deadlineMs: 120_000 });
  expect(await isRunning(service)).toBe(false);
  const backups = fleet.fleet.service('backup');
  await backups.kill9();
  way.open('read');
  await backups.restart();
  const ended = await untilEnded(id);
  expect(ended.state).toBe('failed');
  expect(ended.items[0]?.problem).toContain('ended before this was done');
  const now = await service.inspect();
  expect(now.State.Running).toBe(true);
  expect(now.Id).toBe(before.Id);
  expect(now.HostConfig.RestartPolicy?.Name).toBe('unless-stopped');
  expect(await backupsOf(service)).toEqual([]);
  const again = await cli.run(['backups', 'create', `${service.name}/${service.name}/web`]);
  expect(again.code, again.stdout + again.stderr).toBe(0);
  expect(await backupsOf(service)).toHaveLength(1);
});

const script = (text: string): object => ({ type: 'command', command: ['sh', '-c', text] });

/** From now on it is paused for its snapshots, and not stopped. */
async function pauses({ name }: LoneService, hooks: object): Promise<void> {
  const data = { paths: ['/data'], consistency: 'paused', hooks };
  await api.put('applications', {
    ...{ apiVersion: 'liftlock.dev/v1', kind: 'Application', metadata: { name } },
    spec: { components: [{ name: 'web', targets: ['host'], container: name, data }] },
  });
}

async function untilEnded(id: string): Promise<BackupRun> {
  return waitFor(
    async () => {
      const run = backupRun.parse((await api.insist('GET', `/v1/backup-runs/${id}`)).body);
      return run.state === 'running' ? undefined : run;
    },
    { what: `${id} has ended`, deadlineMs: 300_000 },
  );
}
