import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BackupKeyData, ListedBackup } from '#contracts';
import { systemIds, waitFor } from '#kernel';
import { BackupStage, expectRefused, type Scene } from './support/backup-stage.js';

let stage: BackupStage;
beforeAll(async () => {
  stage = await BackupStage.open('dkcata');
});
afterEach(() => stage.clear());
afterAll(() => stage?.close());

const keyOf = (scene: Scene): BackupKeyData => ({
  upgrade: scene.attempt().upgrade,
  backup: scene.input.backup,
});
const listed = (scene: Scene): Promise<ListedBackup[]> =>
  stage.newCatalogue().list({ upgrade: keyOf(scene).upgrade, limit: 10 });

async function verified(scene: Scene): Promise<ListedBackup> {
  await stage.verifying.begin(keyOf(scene));
  return waitFor(
    async () => {
      const [found] = await listed(scene);
      return found?.verification?.state === 'running' ? undefined : found;
    },
    { what: 'the backup is read back', deadlineMs: 60_000 },
  );
}

describe('the catalogue', () => {
  test('is made anew of the folder when the records are lost; what is half written is not in it', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    const [before] = await listed(scene);
    expect(before).toMatchObject({ present: true, location: scene.location });
    await stage.query(`DELETE FROM backups WHERE backup = '${scene.input.backup}'`);
    // nobody has read it since it was found
    const { verification, ...rest } = before ?? {};
    expect(verification).toMatchObject({ state: 'whole' });
    expect(await listed(scene)).toEqual([rest]);
    await stage.query(`DELETE FROM backups WHERE backup = '${scene.input.backup}'`);
    renameSync(scene.location, `${scene.location}.9.partial`);
    expect(await listed(scene)).toEqual([]);
  });

  test('what a killed attempt left goes when nobody is at work on its upgrade, and never what is another’s', async () => {
    const folders = ['ended', 'busy', 'unknown'].map((state) => {
      const upgrade = systemIds.next('upg');
      const folder = join(stage.root, 'test', 'sweep', upgrade, 'h1-web@host.3.partial');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'data.tar.zst'), state);
      return { upgrade, folder };
    });
    const [ended, busy] = folders.map(({ upgrade }) => upgrade);
    await stage.query(
      `INSERT INTO claims (upgrade, step_id, token, state, command, busy_owner, busy_until) VALUES
         ('${ended}', 'snapshot', 3, 'running', '{}', 'dead', now() - interval '1 s'),
         ('${busy}', 'snapshot', 3, 'running', '{}', 'alive', now() + interval '1 h'),
         ('${busy}', 'other', 1, 'finished', '{}', NULL, NULL)`,
    );
    await stage.newCatalogue().refresh();
    expect(folders.map(({ folder }) => existsSync(folder))).toEqual([false, true, true]);
  });

  test('says so when a folder is gone or an archive is cut, and forgets neither', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    const archive = join(scene.location, 'data.tar.zst');
    writeFileSync(archive, readFileSync(archive).subarray(1));
    expect(await listed(scene)).toMatchObject([
      { present: true, verification: { state: 'corrupt' } },
    ]);
    rmSync(scene.location, { recursive: true });
    expect(await listed(scene)).toMatchObject([{ present: false }]);
    const view = await stage.newCatalogue().get(keyOf(scene));
    expect(view.problem).toMatch(/there is no backup .* any more/);
    await expectRefused(stage.verifying.begin(keyOf(scene)), 'data_missing', /not mounted/);
    // as it was read back when it was taken
    expect((await listed(scene))[0]?.verification?.state).toBe('whole');
  });
});

describe('reading back', () => {
  test('finds one whole, then one flipped bit of the archive, then one of the manifest', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    expect((await verified(scene)).verification).toMatchObject({ state: 'whole' });
    for (const file of ['data.tar.zst', 'manifest.json']) {
      const path = join(scene.location, file);
      const bytes = readFileSync(path);
      const flipped = Buffer.from(bytes);
      const middle = bytes.length >> 1;
      flipped.writeUInt8(flipped.readUInt8(middle) ^ 1, middle);
      writeFileSync(path, flipped);
      expect((await verified(scene)).verification).toMatchObject({
        state: 'corrupt',
        problem: expect.stringContaining(file) as string,
      });
      writeFileSync(path, bytes);
    }
    expect((await verified(scene)).verification?.problem).toBeUndefined();
  });

  test('what is shown is what the manifest says at that moment, however often it is asked for', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    const catalogue = stage.newCatalogue();
    const whole = await catalogue.get(keyOf(scene));
    expect(whole.manifest?.paths).toEqual(scene.input.paths);
    expect(await catalogue.get(keyOf(scene))).toEqual(whole);
    const path = join(scene.location, 'manifest.json');
    const bytes = readFileSync(path);
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(bytes.length - 3) ^ 1, bytes.length - 3);
    writeFileSync(path, flipped);
    const damaged = await catalogue.get(keyOf(scene));
    expect(damaged.manifest).toBeUndefined();
    expect(damaged.problem).toContain('manifest.json');
    writeFileSync(path, bytes);
    expect(await catalogue.get(keyOf(scene))).toEqual(whole);
  });

  test('one that was found corrupt stays so while it is read once more, and when nobody reads it to its end', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    const archive = join(scene.location, 'data.tar.zst');
    const bytes = readFileSync(archive);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    writeFileSync(archive, bytes);
    const { verification } = await verified(scene);
    expect(verification?.problem).toContain('data.tar.zst');
    const { application } = scene.attempt();
    await stage.beginsToVerify({ ...keyOf(scene), application, environment: 'test' });
    const [reading] = await listed(scene);
    expect(reading?.verification).toMatchObject({
      state: 'running',
      problem: verification?.problem,
    });
    await stage.query(`UPDATE backups SET verify_lease = now() - interval '1 s'`);
    const [stopped] = await listed(scene);
    expect(stopped?.verification).toMatchObject({
      state: 'stopped',
      problem: verification?.problem,
    });
  });

  test('whose reader died is taken up by the next one; whoever reads now is not disturbed', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    const hold = (lease: string): Promise<unknown> =>
      stage.query(
        `UPDATE backups SET verify_started = now(), verify_token = 'other', verify_finished = NULL,
           verify_bytes = 0, verify_lease = now() + interval '${lease}' WHERE backup = '${scene.input.backup}'`,
      );
    await hold('1 hour');
    const joined = await stage.verifying.begin(keyOf(scene));
    expect(joined.verification).toMatchObject({ state: 'running', bytes: 0 });
    await hold('-1 second');
    expect((await listed(scene))[0]?.verification?.state).toBe('stopped');
    expect((await verified(scene)).verification?.state).toBe('whole');
  });

  test('of a backup that there is none of is refused by name', async () => {
    const scene = await stage.setScene();
    await expectRefused(stage.verifying.begin(keyOf(scene)), 'not_found', /there is no backup/);
  });
});
