import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backupPage, backupView } from '#contracts';
import { writeControl } from '#drivers/model';
import { Cli, type CliEnd } from '../support/cli.js';
import { COMPONENTS, ModelFleet, type ModelRun } from '../support/model-fleet.js';
import { S3Server } from '../support/s3-server.js';
import { filesBelow, leaks } from '../support/secret-scan.js';

let server: S3Server;
let fleet: ModelFleet;
let cli: Cli;
let run: ModelRun;
let identity: string;
beforeAll(async () => {
  server = await S3Server.start();
  identity = await generateIdentity();
  fleet = await ModelFleet.start({
    LIFTLOCK_LOG_LEVEL: 'trace',
    LIFTLOCK_BACKUP_STORE: `s3://${server.bucket}/fleet/one`,
    LIFTLOCK_BACKUP_S3_ENDPOINT: server.endpoint,
    LIFTLOCK_BACKUP_S3_CREDENTIALS: 'env:LIFTLOCK_SECRET_S3',
    LIFTLOCK_SECRET_S3: `${server.keys.id}:${server.keys.secret}`,
    LIFTLOCK_BACKUP_RECIPIENTS: await identityToRecipient(identity),
    LIFTLOCK_BACKUP_KEYS: 'env:LIFTLOCK_SECRET_BACKUP_KEY',
    LIFTLOCK_SECRET_BACKUP_KEY: identity,
  });
  cli = Cli.of(fleet.fleet.url, fleet.fleet.token);
  run = await fleet.newWorld();
});
afterAll(async () => {
  await fleet.stop();
  await server.stop();
});

async function upgraded(code: number): Promise<string> {
  const args = ['upgrade', run.name, run.name, `${run.name}-2.0`, '--yes', '-o', 'json'];
  const end = await cli.run(args);
  expect(end.code, end.stderr).toBe(code);
  return String((JSON.parse(end.stdout) as { id: unknown }).id);
}

async function asked(...args: string[]): Promise<CliEnd> {
  const end = await cli.run(['backups', ...args]);
  expect(end.code, `${end.stdout}${end.stderr}`).toBe(0);
  return end;
}

describe('a fleet whose backups are encrypted in a bucket', () => {
  it('goes back by them, lists, shows, verifies and prunes them, and says neither key anywhere', async () => {
    const failing = {
      do: 'fail',
      action: 'instance.check',
      container: 'b',
      retryable: false,
      times: 1,
      message: 'b is out of order',
    } as const;
    await writeControl(run.world, { rules: [failing] });
    const before = await upgraded(3);
    for (const container of ['a', 'b'])
      expect(await run.effectsOf(container)).toContain('restored');
    expect(await run.violations()).toEqual([]);
    await writeControl(run.world, {});
    const after = await upgraded(0);
    const all = [...server.objects.keys()];
    expect(all.filter((key) => key.endsWith('/manifest.json'))).toHaveLength(2 + COMPONENTS.length);
    expect(all.every((key) => key.startsWith('fleet/one/'))).toBe(true);
    const listed = await asked('list', '--upgrade', after, '-o', 'json');
    const page = backupPage.shape.items.parse(JSON.parse(listed.stdout));
    expect(page.map(({ present }) => present)).toEqual([true, true, true]);
    const shown = await asked('show', after, 'h1-a@host', '-o', 'json');
    expect(backupView.parse(JSON.parse(shown.stdout))).toMatchObject({
      location: expect.stringMatching(/^s3:\/\/backups\/fleet\/one\/.*\/h1-a@host$/) as string,
      manifest: { version: 4, encryptedTo: [await identityToRecipient(identity)] },
    });
    expect((await asked('verify', after)).stdout.match(/ is whole: /g)).toHaveLength(3);
    await asked('prune', '--application', run.name, '--keep-last', '1', '--delete');
    expect([...server.objects.keys()].filter((key) => key.includes(before))).toEqual([]);
    expect(server.objects.size).toBe(2 * COMPONENTS.length);
    const sinks = filesBelow(fleet.folder, () => false);
    // what is said of the backups is among it
    expect(leaks(sinks, { 'a name': 'h1-a@host' })).not.toEqual([]);
    expect(leaks(sinks, { 'the store’s': server.keys.secret, 'the backups’': identity })).toEqual(
      [],
    );
  });
});
