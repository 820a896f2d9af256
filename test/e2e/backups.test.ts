import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { backupPage, backupView, prunablePage, type PrunablePage } from '#contracts';
import { writeControl } from '#drivers/model';
import { Cli, type CliEnd } from '../support/cli.js';
import { ModelFleet, type ModelRun } from '../support/model-fleet.js';

let fleet: ModelFleet;
let cli: Cli;
let run: ModelRun;

beforeAll(async () => {
  fleet = await ModelFleet.start();
  cli = Cli.of(fleet.fleet.url, fleet.fleet.token);
});
afterAll(() => fleet.stop());
beforeEach(async () => {
  run = await fleet.newWorld();
});

const failing = {
  do: 'fail',
  action: 'instance.replace',
  container: 'b',
  retryable: false,
  message: 'instance.replace is out of order',
} as const;
const holding = { do: 'hold', action: 'instance.stop', container: 'b' } as const;

/** An upgrade to its end: its id. */
async function upgraded(code: number): Promise<string> {
  const args = ['upgrade', run.name, run.name, `${run.name}-2.0`, '--yes', '-o', 'json'];
  const end = await cli.run(args);
  expect(end.code, end.stderr).toBe(code);
  return String((JSON.parse(end.stdout) as { id: unknown }).id);
}

async function prunable(...rules: string[]): Promise<PrunablePage> {
  const end = await cli.run([
    'backups',
    'prune',
    '--application',
    run.name,
    '-o',
    'json',
    ...rules,
  ]);
  expect(end.code, end.stderr).toBe(0);
  return prunablePage.parse(JSON.parse(end.stdout));
}

const backupsOf = async (upgrade: string): Promise<string[]> => {
  const { stdout } = await cli.run(['backups', 'list', '--upgrade', upgrade, '-o', 'json']);
  return backupPage.shape.items
    .parse(JSON.parse(stdout))
    .map(({ instance }) => instance)
    .toSorted();
};
const show = async (upgrade: string, backup: string): Promise<CliEnd> =>
  cli.run(['backups', 'show', upgrade, backup, '-o', 'json']);

describe('backups', () => {
  it('show says where one comes from and how it was quiesced; verify reads it back, and names the one with a flipped bit', async () => {
    const id = await upgraded(0);
    const first = backupView.parse(JSON.parse((await show(id, 'h1-a@host')).stdout));
    expect(first).toMatchObject({ present: true, instance: 'a@host' });
    expect(first.manifest).toMatchObject({
      ...{ version: 2, container: 'a', counts: { file: 2 } },
      image: { reference: 'service:1.0' },
      quiesced: { how: 'stopped', ran: [] },
    });
    const whole = await cli.run(['backups', 'verify', id]);
    expect(whole.code, whole.stderr).toBe(0);
    expect(whole.stdout.match(/ is whole: /g)).toHaveLength(3);
    const archive = join(first.location, first.manifest?.archive.file ?? '');
    const bytes = readFileSync(archive);
    bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
    writeFileSync(archive, bytes);
    const corrupt = await cli.run(['backups', 'verify', id, 'h1-a@host']);
    expect(corrupt.code).toBe(1);
    expect(corrupt.stdout).toMatch(/CORRUPT: .*data\.json has sha256:/);
    expect((await show(id, 'h1-a@host')).code).toBe(1);
    expect((await show(id, 'h1-b@host')).code).toBe(0);
    rmSync(first.location, { recursive: true });
    const listed = await cli.run(['backups', 'list', '--upgrade', id]);
    expect(listed.stdout).toMatch(/h1-a@host .* missing /);
  });

  it('prune is dry, takes with --delete what no rule keeps, and never the last good one', async () => {
    await writeControl(run.world, { rules: [failing] });
    const before = await upgraded(3);
    await writeControl(run.world, {});
    const after = await upgraded(0);
    expect(await backupsOf(before)).toEqual(['a@host', 'b@host']);
    const page = await prunable('--keep-last', '1');
    expect(page.items.map(({ upgrade }) => upgrade)).toEqual([before, before]);
    expect(new Set(page.items.map(({ instance }) => instance))).toEqual(
      new Set(['a@host', 'b@host']),
    );
    expect(page.kept.map(({ upgrade, because }) => [upgrade, because])).toEqual(
      Array(3).fill([after, expect.stringContaining('the last good one')]),
    );
    expect(await backupsOf(before)).toHaveLength(2);
    expect((await prunable('--keep-days', '1')).items).toEqual([]);
    const dry = ['backups', 'prune', '--application', run.name, '--keep-last', '1'];
    expect((await cli.run(dry)).stdout).toContain('2 may go');
    const deleted = await cli.run([...dry, '--delete']);
    expect(deleted.code, deleted.stderr).toBe(0);
    expect(page.items.map(({ location }) => existsSync(location))).toEqual([false, false]);
    expect(page.kept.map(({ location }) => existsSync(location))).toEqual([true, true, true]);
    expect(await backupsOf(before)).toEqual([]);
    const last = page.kept[0];
    const refused = await fleet.api.request('DELETE', `/v1/backups/${after}/${last?.backup ?? ''}`);
    expect(refused.status).toBe(409);
    expect((await cli.run(['backups', 'prune'])).code).toBe(2);
  });

  it('what an upgrade that has not ended may need stays, whatever the rules say', async () => {
    await writeControl(run.world, { rules: [failing] });
    const before = await upgraded(3);
    await writeControl(run.world, { rules: [holding] });
    const id = await run.begin();
    await expect.poll(() => backupsOf(id), { timeout: 120_000 }).toEqual(['a@host']);
    const page = await prunable('--keep-last', '1');
    expect(page.items.map((one) => [one.upgrade, one.instance])).toEqual([[before, 'a@host']]);
    expect(page.kept.find(({ upgrade }) => upgrade === id)?.because).toContain('has not ended');
    const refused = await fleet.api.request('DELETE', `/v1/backups/${id}/h1-a@host`);
    expect(refused.status).toBe(409);
    await writeControl(run.world, {});
    expect((await fleet.api.untilEnded(id)).state).toBe('succeeded');
    expect(await run.violations()).toEqual([]);
  });
});
