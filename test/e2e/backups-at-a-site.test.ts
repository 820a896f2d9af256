import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  APPS,
  backupPage,
  natsUsers,
  subscriberUser,
  type App,
  type ListedBackup,
} from '#contracts';
import { writeControl } from '#drivers/model';
import { rootFolder, startService, type ServiceProcess } from '#fleet';
import { Cli } from '../support/cli.js';
import { freshDatabase, type FreshDatabase } from '../support/index.js';
import { ModelFleet, type ModelRun } from '../support/model-fleet.js';

const SITE = 'edge';
/** What a site has of its own; all else is at `main`. */
const AT_SITE = ['backup', 'executor', 'mirror', 'verifier'] as const satisfies readonly App[];

let fleet: ModelFleet;
let database: FreshDatabase;
let cli: Cli;
let run: ModelRun;
const services = new Map<App, ServiceProcess>();

beforeAll(async () => {
  [fleet, database] = await Promise.all([ModelFleet.start(), freshDatabase()]);
  const main = fleet.fleet;
  const passwords = Object.fromEntries(
    APPS.map((app) => [app, main.natsLogin(app).pass]),
  ) as Record<App, string>;
  await main.nats.setUsers([
    ...natsUsers(passwords, ['main', SITE]),
    subscriberUser('subscriber', main.natsLogin('subscriber').pass, '*'),
  ]);
  await Promise.all(AT_SITE.map(startAtSite));
  cli = Cli.of(main.url, main.token);
  run = await fleet.newWorld();
  await fleet.api.put('environments', {
    ...{ apiVersion: 'liftlock.dev/v1', kind: 'Environment', metadata: { name: run.name } },
    spec: {
      targets: [{ name: 'host', driver: 'model', endpoint: run.world, site: SITE }],
    },
  });
});
afterAll(async () => {
  for (const service of services.values()) await service.stop();
  await fleet?.stop();
  await database?.drop();
});

/** Where a site's backups lie, on this machine. */
const repositoryOf = (site: string): string =>
  join(fleet.folder, site === SITE ? SITE : '.', 'data', 'backup');

async function startAtSite(app: (typeof AT_SITE)[number]): Promise<void> {
  const { url, user, password } = loginOf(app);
  const env = {
    ...{ NODE_ENV: 'production', DATABASE_URL: database.url(app) },
    ...{ NATS_URL: url, NATS_USER: user, NATS_PASSWORD: password },
    ...{ LIFTLOCK_SITE: SITE, LIFTLOCK_DATA: join(fleet.folder, SITE, 'data', app) },
    LIFTLOCK_DRIVERS: 'model',
    ...(app === 'executor' ? { REDIS_URL: fleet.fleet.redis.url } : {}),
  };
  const folder = join(fleet.folder, SITE);
  services.set(app, await startService(app, env, { root: rootFolder(), folder, tied: true }));
}

function loginOf(app: App): { url: string; user: string; password: string } {
  const { servers, user, pass } = fleet.fleet.natsLogin(app);
  return { url: servers, user, password: pass };
}

async function listed(site: string): Promise<readonly ListedBackup[]> {
  const end = await cli.run(['backups', 'list', '--site', site, '-o', 'json']);
  expect(end.code, end.stderr).toBe(0);
  return backupPage.shape.items.parse(JSON.parse(end.stdout));
}

it('data of a site’s targets is read into that site’s repository, and put back from it, by commands that are routed there', async () => {
  const replacing = { do: 'fail', action: 'instance.replace', container: 'b' } as const;
  await writeControl(run.world, {
    rules: [{ ...replacing, retryable: false, message: 'instance.replace is out of order' }],
  });
  // whoever serves the other site could not
  await fleet.fleet.service('backup').kill9();
  const args = ['upgrade', run.name, run.name, `${run.name}-2.0`, '--yes', '-o', 'json'];
  const end = await cli.run(args);
  expect(end.code, end.stderr).toBe(3);
  const { id } = JSON.parse(end.stdout) as { readonly id: string };
  expect(await run.effectsOf('a')).toContain('restored');
  expect(await run.violations()).toEqual([]);
  const files = readdirSync(repositoryOf(SITE), { recursive: true, encoding: 'utf8' });
  expect(files.join()).toContain(join(id, 'h1-a@host', 'manifest.json'));

  await fleet.fleet.service('backup').restart();
  const there = await listed(SITE);
  expect(there.map(({ instance }) => instance).toSorted()).toEqual(['a@host', 'b@host']);
  expect(there.every(({ location }) => location.startsWith(repositoryOf(SITE)))).toBe(true);
  expect(await listed('main')).toEqual([]);
  expect(existsSync(repositoryOf('main'))).toBe(false);

  const verify = ['backups', 'verify', id];
  const whole = await cli.run([...verify, '--site', SITE]);
  expect(whole.code, whole.stderr).toBe(0);
  expect(whole.stdout.match(/ is whole: /g)).toHaveLength(2);
  expect((await cli.run(verify)).code).toBe(2);

  await services.get('backup')?.kill9();
  const away = await cli.run(['backups', 'list', '--site', SITE]);
  expect(away.code).not.toBe(0);
  expect(away.stderr).toMatch(/backup.* at site edge/);
  expect(await listed('main')).toEqual([]);
});
