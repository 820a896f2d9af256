import { generateIdentity, identityToRecipient } from 'age-encryption';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SecretStore } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { damage, treeDigest } from '../../../test/support/data-tree.js';
import { crashAt } from '../../../test/support/step-context.js';
import { Encryption } from '../src/repository/encryption.js';
import { FolderStore } from '../src/repository/folder-store.js';
import { Repository } from '../src/repository/repository.js';
import { BackupStage, expectRefused } from './support/backup-stage.js';
import { S3Server } from '../../../test/support/s3-server.js';
import { s3StoreOn } from './support/s3-store-on.js';

const REFERENCE = 'env:LIFTLOCK_SECRET_BACKUP_KEY';
/** What the service knows: changed by the tests. */
const variables: Record<string, string> = {};

let server: S3Server;
let identity: string;
beforeAll(async () => {
  server = await S3Server.start();
  identity = await generateIdentity();
});
afterAll(() => server?.stop());

async function encryption(isOn: boolean): Promise<Encryption> {
  const recipients = isOn ? [await identityToRecipient(identity)] : [];
  return new Encryption({ recipients, keys: [REFERENCE] }, new SecretStore({ variables }));
}

describe.each([
  { name: 'a bucket', prefix: 'dkbucket', isBucket: true, isEncrypted: false },
  { name: 'a bucket, encrypted', prefix: 'dksealedbucket', isBucket: true, isEncrypted: true },
  { name: 'a folder, encrypted', prefix: 'dksealedfolder', isBucket: false, isEncrypted: true },
])('the data of a container in $name', ({ prefix, isBucket, isEncrypted }) => {
  let stage: BackupStage;
  beforeAll(async () => {
    variables['LIFTLOCK_SECRET_BACKUP_KEY'] = identity;
    const encrypted = await encryption(isEncrypted);
    stage = await BackupStage.open(
      prefix,
      (root) => new Repository(isBucket ? s3StoreOn(server) : new FolderStore(root), encrypted),
    );
  });
  afterEach(async () => {
    variables['LIFTLOCK_SECRET_BACKUP_KEY'] = identity;
    await stage.clear();
    server.clear();
  });
  afterAll(() => stage?.close());

  test('comes back exactly, is listed, shown, verified, and asked for twice is one backup', async () => {
    const scene = await stage.setScene();
    const digest = treeDigest(scene.folder);
    const made = await scene.snapshot();
    expect(await scene.snapshot()).toEqual(made);
    damage(scene.folder);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
    const { upgrade } = scene.attempt();
    const key = { upgrade, backup: scene.input.backup };
    await stage.query(`DELETE FROM backups`);
    const catalogue = stage.newCatalogue();
    expect(await catalogue.list({ upgrade, limit: 10 })).toMatchObject([
      { present: true, location: scene.location, archiveSha256: made.archiveSha256 },
    ]);
    const { manifest } = await catalogue.get(key);
    expect(manifest?.version).toBe(isEncrypted ? 4 : 2);
    expect(manifest?.encryptedTo).toEqual(
      isEncrypted ? [await identityToRecipient(identity)] : undefined,
    );
    await stage.verifying.begin(key);
    await expect
      .poll(async () => (await catalogue.list({ upgrade, limit: 1 }))[0]?.verification?.state)
      .toBe('whole');
  });

  test('with one bit flipped is refused before anything is touched', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    damage(scene.folder);
    const damaged = treeDigest(scene.folder);
    for (const file of ['data.', 'manifest.json'])
      await flipIn(stage, scene.location, file, async () => {
        await expectRefused(scene.restore(), 'data_corrupt', new RegExp(file));
      });
    expect(treeDigest(scene.folder)).toBe(damaged);
  });

  test('cut off at any question of the guard is ended by the next attempt', async () => {
    const scene = await stage.setScene();
    const digest = treeDigest(scene.folder);
    const cut = async (attempt: (at: number) => Promise<unknown>): Promise<number> => {
      for (let at = 1; at <= 20; at += 1) {
        const outcome = await attempt(at).then(
          () => 'done',
          (error: unknown) => LiftlockError.from(error).code,
        );
        if (outcome === 'done') return at;
        expect(outcome).toBe('fenced');
      }
      return 0;
    };
    expect(await cut((at) => scene.snapshot(crashAt(at)))).toBeGreaterThan(4);
    damage(scene.folder);
    expect(await cut((at) => scene.restore(crashAt(at)))).toBeGreaterThan(5);
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  if (!isEncrypted) return;
  test('is neither restored nor verified nor taken without the key, and each says which it is', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    damage(scene.folder);
    const damaged = treeDigest(scene.folder);
    const KEY = /LIFTLOCK_SECRET_BACKUP_KEY/;
    const { upgrade } = scene.attempt();
    const key = { upgrade, backup: scene.input.backup };
    for (const other of ['', await generateIdentity()]) {
      variables['LIFTLOCK_SECRET_BACKUP_KEY'] = other;
      await expectRefused(scene.restore(), 'misconfigured', KEY);
      await expectRefused(scene.restore(), 'misconfigured', new RegExp(scene.input.backup));
      await expectRefused(stage.verifying.begin(key), 'misconfigured', KEY);
      // neither is what an earlier attempt has published
      await expectRefused(scene.snapshot(), 'misconfigured', KEY);
      const another = { ...scene.input, backup: 'another', consistency: 'stopped' } as const;
      await expectRefused(stage.snapshots.take(scene.attempt(), another), 'misconfigured', KEY);
    }
    expect(treeDigest(scene.folder)).toBe(damaged);
    // what needs no key is there without one
    expect(await stage.newCatalogue().list({ upgrade, limit: 10 })).toHaveLength(1);
    expect((await stage.newCatalogue().get(key)).problem).toBeUndefined();
    // when all are read back by themselves it is passed over, and others are not
    const longAgo = (backup: string): Promise<unknown> =>
      stage.query(
        `UPDATE backups SET verify_finished = now() - interval '31 days' WHERE backup = '${backup}'`,
      );
    await longAgo(scene.input.backup);
    const schedule = stage.newSchedule(30);
    expect(await schedule.verifyNext()).toBe(false);
    variables['LIFTLOCK_SECRET_BACKUP_KEY'] = identity;
    const younger = { ...scene.input, backup: 'younger', consistency: 'stopped' } as const;
    await stage.snapshots.take(scene.attempt(), younger);
    await longAgo('younger');
    expect(await schedule.verifyNext()).toBe(true);
    expect(await schedule.verifyNext()).toBe(false);
    expect(await stage.newSchedule(30).verifyNext()).toBe(true);
  });
});

async function flipIn(
  stage: BackupStage,
  location: string,
  file: string,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const flip = (bytes: Buffer): Buffer => {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    return flipped;
  };
  if (existsSync(stage.root) && location.startsWith(stage.root)) {
    const name = file === 'data.' ? 'data.tar.zst.age' : file;
    const path = join(location, name);
    const bytes = readFileSync(path);
    writeFileSync(path, flip(bytes));
    await meanwhile();
    writeFileSync(path, bytes);
    return;
  }
  const [stored] = [...server.objects].filter(([key]) => key.includes(`/${file}`));
  if (stored === undefined) throw new Error(`there is no ${file}`);
  const { body } = stored[1];
  stored[1].body = flip(body);
  await meanwhile();
  stored[1].body = body;
}
