import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { BackupKeyData, ListedBackup } from '#contracts';
import { BackupStage, type Scene } from './support/backup-stage.js';

let stage: BackupStage;
beforeAll(async () => {
  stage = await BackupStage.open('dksched');
});
afterEach(() => stage.clear());
afterAll(() => stage?.close());

const keyOf = (scene: Scene): BackupKeyData => ({
  upgrade: scene.attempt().upgrade,
  backup: scene.input.backup,
});
async function listed(scene: Scene): Promise<ListedBackup | undefined> {
  const { upgrade } = keyOf(scene);
  return (await stage.newCatalogue().list({ upgrade, limit: 1 }))[0];
}
const wasReadBack = (scene: Scene, daysAgo: number): Promise<unknown> =>
  stage.query(
    `UPDATE backups SET verify_finished = now() - interval '${daysAgo} days' WHERE backup = '${scene.input.backup}'`,
  );
const reports = async (): Promise<string[]> =>
  (
    await stage.query<{ payload: string }>(
      `SELECT payload FROM outbox WHERE payload LIKE '%backup-found-damaged%'`,
    )
  ).map(({ payload }) => payload);

test('what was not read back for so long is, the oldest first; a flipped bit is told once', async () => {
  const scenes = [await stage.setScene(), await stage.setScene(), await stage.setScene()] as const;
  const [old, older, fresh] = scenes;
  for (const scene of scenes) await scene.snapshot();
  await wasReadBack(old, 31);
  await wasReadBack(older, 40);
  await wasReadBack(fresh, 29);
  const archive = join(older.location, 'data.tar.zst');
  const bytes = readFileSync(archive);
  bytes.writeUInt8(bytes.readUInt8(100) ^ 4, 100);
  writeFileSync(archive, bytes);
  const schedule = stage.newSchedule(30);
  expect(await schedule.verifyNext()).toBe(true);
  expect((await listed(older))?.verification).toMatchObject({ state: 'corrupt' });
  expect((await listed(old))?.verification?.finishedAt).toBeDefined();
  expect(await schedule.verifyNext()).toBe(true);
  expect(await schedule.verifyNext()).toBe(false);
  const { verification } = (await listed(old)) ?? {};
  expect(verification?.state).toBe('whole');
  expect(Date.now() - Date.parse(verification?.finishedAt ?? '')).toBeLessThan(3_600_000);
  expect(await reports()).toHaveLength(1);
  expect((await reports())[0]).toContain(older.input.backup);
  await wasReadBack(older, 31);
  expect(await schedule.verifyNext()).toBe(true);
  expect(await reports()).toHaveLength(1);
});

test('one is read back at a time at one site, whoever asks; what is missing there is passed over', async () => {
  const scene = await stage.setScene();
  await scene.snapshot();
  await wasReadBack(scene, 31);
  await stage.query(
    `INSERT INTO verify_turns (site, holder, lease) VALUES ('main', 'another', now() + interval '1 h')`,
  );
  expect(await stage.newSchedule(30).verifyNext()).toBe(false);
  await stage.query(`UPDATE verify_turns SET lease = now() - interval '1 s'`);
  const gone = await stage.setScene();
  await gone.snapshot();
  await wasReadBack(gone, 99);
  await stage.query(
    `UPDATE backups SET upgrade = 'upg_00000000000000000000000000' WHERE backup = '${gone.input.backup}'`,
  );
  expect(await stage.newSchedule(30).verifyNext()).toBe(true);
  expect((await listed(scene))?.verification?.state).toBe('whole');
  expect(await stage.newSchedule(30).verifyNext()).toBe(false);
  expect(await stage.query(`SELECT * FROM verify_turns`)).toEqual([]);
});
