import { execFileSync, spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  damage,
  newFolder,
  plantTree,
  treeDigest,
  treeLines,
} from '../../../test/support/data-tree.js';
import { contextOf } from '../../../test/support/step-context.js';
import { FolderRestoreService } from '../src/folder-restore.service.js';
import { BackupStage, expectRefused } from './support/backup-stage.js';
import { shareScene, type ShareScene } from './support/share-scene.js';

let stage: BackupStage;
const folders: string[] = [];
const mounted: string[] = [];
beforeAll(async () => {
  stage = await BackupStage.open('dkfolder');
});
afterEach(() => {
  for (const at of mounted.splice(0).toReversed()) execFileSync('umount', ['--lazy', at]);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
afterAll(() => stage?.close());

function mount(at: string, program: string, words: readonly string[]): void {
  execFileSync(program, [...words, at]);
  mounted.push(at);
}

/** In a folder of its own. */
function setScene(name?: string): ShareScene {
  const top = newFolder();
  folders.push(top);
  return shareScene(stage, top, name);
}

describe('data on a folder of the service', () => {
  test('comes back exactly, and nothing beside it is touched', async () => {
    const scene = setScene();
    await scene.plant();
    const { folder } = scene;
    // only root sees such a one, as the service does here
    execFileSync('setfattr', ['-n', 'trusted.note', '-v', 'kept', join(folder, 'kbs/plain')]);
    const before = ['db', 'kbs'].map((path) => treeDigest(join(folder, path)));
    const { location } = await scene.snapshot();
    const manifest = JSON.parse(readFileSync(join(location, 'manifest.json'), 'utf8')) as {
      readonly source: object;
      readonly entries: ReadonlyArray<{ readonly path: string }>;
    };
    expect(manifest).toMatchObject({ version: 3, source: { folder, paths: ['/db', '/kbs'] } });
    expect(manifest.source).not.toHaveProperty('image');
    expect(manifest.entries[0]?.path).toBe('/db');
    damage(join(folder, 'kbs'));
    rmSync(join(folder, 'db'), { recursive: true });
    writeFileSync(join(folder, 'other/file'), 'of another service');
    await scene.restore();
    expect(['db', 'kbs'].map((path) => treeDigest(join(folder, path)))).toEqual(before);
    expect(readFileSync(join(folder, 'other/file'), 'utf8')).toBe('of another service');
    expect(readdirSync(folder).toSorted()).toEqual(['db', 'kbs', 'other']);
    // by hand, as the documentation says
    const byHand = join(scene.top, 'by hand');
    mkdirSync(byHand);
    execFileSync('sh', [
      ...[
        '-c',
        'zstd -dc "$1" | tar --extract --file=- --preserve-permissions --same-owner --numeric-owner --xattrs --xattrs-include="*" --acls --directory="$2"',
      ],
      ...['sh', join(location, 'data.tar.zst'), byHand],
    ]);
    expect(treeDigest(join(byHand, 'kbs'))).toBe(before[1]);
    expect(await scene.snapshot('running')).toMatchObject({ backup: 'one' });
  });

  test('of what goes on is fuzzy where it changes while it is read, and comes back as it was read', async () => {
    const scene = setScene();
    await scene.plant();
    const quiet = await scene.snapshot('running');
    expect(quiet.warnings).toBeUndefined();
    const plain = join(scene.folder, 'kbs/plain');
    // as soon as the first list is there, and until the reading has ended
    const writing = setInterval(() => writeFileSync(plain, String(performance.now())), 1);
    let made: Awaited<ReturnType<typeof scene.snapshot>>;
    try {
      made = await scene.snapshot('running');
    } finally {
      clearInterval(writing);
    }
    expect(made.warnings?.join()).toMatch(/is fuzzy: \d+ of its files .*\/kbs\/plain/);
    const manifest: unknown = JSON.parse(
      readFileSync(join(made.location, 'manifest.json'), 'utf8'),
    );
    expect(manifest).toMatchObject({
      ...{ version: 5, source: { folder: scene.folder }, quiesced: { how: 'running' } },
    });
    damage(join(scene.folder, 'kbs'));
    await scene.restore();
    // whatever that was: of a file that was cut while it was read an archive has zeros
    const sha256 = hash('sha256', readFileSync(plain));
    expect(manifest).toHaveProperty(
      'entries',
      expect.arrayContaining([expect.objectContaining({ path: '/kbs/plain', sha256 })]),
    );
  });

  test('is neither paused nor given commands: what works on it may be elsewhere', async () => {
    const scene = setScene();
    await scene.plant();
    const input = { ...scene.input, consistency: 'paused' } as const;
    await expectRefused(
      stage.snapshots.take(scene.attempt(), input),
      'misconfigured',
      /can neither be paused nor stopped .* let the component's document say data\.consistency: running/,
    );
    await scene.snapshot();
  });

  test('of a whole folder is all of it, and goes into another one, too', async () => {
    const scene = setScene();
    await scene.plant();
    const input = { ...scene.input, paths: ['/'] };
    const digests = (of: string): string[] =>
      ['db', 'kbs', 'other'].map((path) => treeDigest(join(of, path)));
    const before = digests(scene.folder);
    await stage.snapshots.take(scene.attempt(), { ...input, consistency: 'stopped' });
    const { environment, application, upgrade } = scene.attempt();
    const folder = stage.repository.folder({ environment, application, upgrade, backup: 'one' });
    const stored = await folder.manifest();
    if (stored === undefined) throw new Error('there is no backup');
    const to = join(scene.top, 'to');
    const manifest = await folder.opened(stored);
    await new FolderRestoreService().restore(scene.attempt(), folder, manifest, to);
    expect(digests(to)).toEqual(before);
    expect(readdirSync(to).toSorted()).toEqual(['db', 'kbs', 'other']);
    damage(join(scene.folder, 'kbs'));
    await stage.restores.restore(scene.attempt(), input);
    expect(digests(scene.folder)).toEqual(before);
  });

  test('is not restored while a process has it open', async () => {
    const scene = setScene();
    await scene.plant();
    await scene.snapshot();
    damage(join(scene.folder, 'kbs'));
    const damaged = treeLines(scene.folder);
    const child = spawn('sh', ['-c', `exec 7>>${scene.folder}/kbs/plain; echo; exec sleep 600`]);
    await once(child.stdout, 'data');
    await expectRefused(scene.restore(), 'data_in_use', /process \d+ \(sleep\)/);
    expect(treeLines(scene.folder)).toEqual(damaged);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await scene.restore();
  });

  test('on a share that squashes owners: a restore is reported as failed, and what was there is kept', async () => {
    const scene = setScene('seen');
    const share = join(scene.top, 'share');
    mkdirSync(share);
    // a chown seems to succeed, and does not
    mount(scene.folder, 'bindfs', [
      '--chown-ignore',
      '--chgrp-ignore',
      '--create-for-user=65534',
      share,
    ]);
    for (const path of ['db', 'kbs']) mkdirSync(join(share, path));
    writeFileSync(join(share, 'db/file'), 'db');
    await plantTree(join(share, 'kbs'));
    await scene.snapshot();
    damage(join(scene.folder, 'kbs'));
    await expectRefused(
      scene.restore(),
      'data_corrupt',
      /is not as in the backup one after it was restored: .*has uid 65534 and not .*kept beside it in \.liftlock-aside-/,
    );
    const [aside = ''] = readdirSync(share).filter((name) => name.startsWith('.liftlock-aside-'));
    expect(readFileSync(join(share, aside, 'data/kbs/plain'), 'utf8')).toBe('PLAIN\n');
    // as often as it is tried
    await expectRefused(scene.restore(), 'data_corrupt');
    expect(readFileSync(join(share, aside, 'data/kbs/plain'), 'utf8')).toBe('PLAIN\n');
  });

  test('of a share that is not mounted any more is not restored onto the disk below it', async () => {
    const scene = setScene();
    const { folder } = scene;
    mount(folder, 'mount', ['-t', 'tmpfs', 'tmpfs']);
    await scene.plant();
    await scene.snapshot();
    execFileSync('umount', [folder]);
    mounted.splice(0);
    await expectRefused(
      scene.restore(),
      'data_missing',
      /there was tmpfs:\/ \(tmpfs\) at \/: is the share mounted\? nothing was touched/,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is refused where it is not the backup’s, where nobody can tell who works on it, and around the repository', async () => {
    const scene = setScene();
    await scene.plant();
    await scene.snapshot();
    const other = setScene();
    await other.plant();
    await expectRefused(
      scene.restore({ folder: other.folder }),
      'invalid_step',
      /share\/db, .*share\/kbs of kbs-\d+ .* and not of/,
    );
    const { target } = contextOf('unix:///nowhere');
    await expectRefused(
      stage.restores.restore(scene.attempt({ target }), scene.input),
      'invalid_step',
      /./,
    );
    const docker = stage.snapshots.take(scene.attempt({ target }), {
      ...{ ...scene.input, backup: 'two', consistency: 'stopped' },
    });
    await expectRefused(docker, 'invalid_step', /nobody can tell what works on .*driver docker/);
    const around = stage.snapshots.take(scene.attempt(), {
      ...{ ...scene.input, backup: 'two', consistency: 'stopped', folder: '/tmp', paths: ['/'] },
    });
    await expectRefused(around, 'invalid_step', /LIFTLOCK_BACKUP_STORE/);
  });
});
