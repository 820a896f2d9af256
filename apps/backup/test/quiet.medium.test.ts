import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { commandWork, type CommandWork } from '#contracts';
import { systemIds, waitFor } from '#kernel';
import { treeDigest, damage } from '../../../test/support/data-tree.js';
import type { Manifest } from '../src/domain/manifest.js';
import { BackupStage, expectRefused, type Scene } from './support/backup-stage.js';
import { killWhileTaking } from './support/kill-while-taking.js';

let stage: BackupStage;
beforeAll(async () => {
  stage = await BackupStage.open('dkquiet');
});
afterEach(() => stage.clear());
afterAll(() => stage?.close());

const shell = (script: string): CommandWork =>
  commandWork.parse({ type: 'command', command: ['sh', '-c', script] });

async function running(): Promise<Scene> {
  const scene = await stage.setScene();
  await stage.docker.getContainer(scene.containerId).start();
  return scene;
}
const stateOf = async (scene: Scene): Promise<string> =>
  (await stage.docker.getContainer(scene.containerId).inspect()).State.Status;
const manifestOf = (scene: Scene): Manifest =>
  JSON.parse(readFileSync(join(scene.location, 'manifest.json'), 'utf8')) as Manifest;
/** As time does to what a killed service has left. */
const leaseEnds = (scene: Scene): Promise<unknown> =>
  stage.query(
    `UPDATE quiets SET lease = now() - interval '1 s' WHERE container_id = '${scene.containerId}'`,
  );
const records = (scene: Scene): Promise<unknown[]> =>
  stage.query(`SELECT 1 FROM quiets WHERE container_id = '${scene.containerId}'`);
/** By whoever quietened it: the sweep has nothing to do. */
async function expectRunsAgain(scene: Scene): Promise<void> {
  expect(await records(scene)).toEqual([]);
  // what the engine hears of its containers comes later than its answers: it may call one paused once more that was let go on
  await waitFor(async () => ((await stateOf(scene)) === 'running' ? true : undefined), {
    what: `${scene.input.container} runs`,
    deadlineMs: 60_000,
  });
}

describe('a snapshot of what is paused', () => {
  test('has what stood still, says so, and the service runs on, also when the reading fails', async () => {
    const scene = await running();
    const digest = treeDigest(scene.folder);
    const states: string[] = [];
    await scene.snapshotAs(
      { consistency: 'paused' },
      { guard: async () => void states.push(await stateOf(scene)) },
    );
    expect(states).toContain('paused');
    await expectRunsAgain(scene);
    expect(manifestOf(scene)).toMatchObject({
      version: 5,
      consistency: 'paused',
      quiesced: { how: 'paused', ran: [scene.input.container] },
    });
    expect(await records(scene)).toEqual([]);
    const failing = await running();
    const { docker } = stage;
    await expectRefused(
      failing.snapshotAs(
        { consistency: 'paused' },
        { upgrade: scene.attempt().upgrade, guard: failWhilePaused(docker, failing) },
      ),
      'internal',
      /cut off here/,
    );
    await expectRunsAgain(failing);
    await stage.docker.getContainer(scene.containerId).stop({ t: 1 });
    damage(scene.folder);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  test('is refused while anything else runs on the data, by name, and does not count once it was let go on', async () => {
    const scene = await running();
    const other = await stage.startOther(`${scene.folder}:/elsewhere`);
    await expectRefused(
      scene.snapshotAs({ consistency: 'paused' }),
      'data_in_use',
      /dkquiet-other; stop it first/,
    );
    await expectRunsAgain(scene);
    await other.stop({ t: 1 });
    let wasLetGoOn = false;
    const letGoOn = async (): Promise<void> => {
      if (wasLetGoOn || (await stateOf(scene)) !== 'paused') return;
      wasLetGoOn = true;
      await stage.docker.getContainer(scene.containerId).unpause();
    };
    await expectRefused(
      scene.snapshotAs({ consistency: 'paused' }, { guard: letGoOn }),
      'data_changed',
      /was let go on/,
    );
    expect(wasLetGoOn).toBe(true);
  });

  test('does not count when its record was another’s before the reading had ended', async () => {
    const scene = await running();
    let taken = false;
    const take = async (): Promise<void> => {
      if (taken || (await stateOf(scene)) !== 'paused') return;
      taken = true;
      await stage.query(
        `UPDATE quiets SET holder = 'another', lease = now() + interval '1 h' WHERE container_id = '${scene.containerId}'`,
      );
    };
    await expectRefused(
      scene.snapshotAs({ consistency: 'paused' }, { guard: take }),
      'data_changed',
      /was let go on before/,
    );
    expect(taken).toBe(true);
    // it is that one's to let go on, and nobody else quietens it meanwhile
    expect(await stateOf(scene)).toBe('paused');
    await stage.docker.getContainer(scene.containerId).unpause();
    await expectRefused(
      scene.snapshotAs({ consistency: 'paused' }, { upgrade: systemIds.next('upg') }),
      'unavailable',
      /is paused for another snapshot/,
    );
    await stage.query(`DELETE FROM quiets WHERE container_id = '${scene.containerId}'`);
  });

  test('whose service is killed goes on by itself, and at the next attempt', async () => {
    const scene = await running();
    await killWhileTaking(stage, scene, { consistency: 'paused' });
    expect(await stateOf(scene)).toBe('paused');
    await leaseEnds(scene);
    await waitFor(async () => ((await stateOf(scene)) === 'running' ? true : undefined), {
      what: 'the sweep lets it go on',
      deadlineMs: 60_000,
    });
    await waitFor(async () => ((await records(scene)).length === 0 ? true : undefined), {
      what: 'the record is gone',
      deadlineMs: 60_000,
    });
    const next = await running();
    await killWhileTaking(stage, next, { consistency: 'paused' });
    await next.snapshotAs({ consistency: 'paused' }, { token: 7 });
    await expectRunsAgain(next);
    expect(manifestOf(next).quiesced?.ran).toEqual([next.input.container]);
  });
});

describe('a snapshot that stops by itself', () => {
  test('starts again what it stopped, with its restart policy, also when its service is killed', async () => {
    const scene = await running();
    const container = stage.docker.getContainer(scene.containerId);
    await container.update({ RestartPolicy: { Name: 'unless-stopped' } });
    await scene.snapshotAs({ consistency: 'stopped', stop: {} });
    await expectRunsAgain(scene);
    expect(manifestOf(scene).quiesced).toMatchObject({ how: 'stopped', ran: [] });
    const next = await running();
    await killWhileTaking(stage, next, { consistency: 'stopped', stop: {} });
    expect(await stateOf(next)).toBe('exited');
    await leaseEnds(next);
    await waitFor(async () => ((await stateOf(next)) === 'running' ? true : undefined), {
      what: 'the sweep starts it again',
      deadlineMs: 60_000,
    });
    expect((await container.inspect()).HostConfig.RestartPolicy?.Name).toBe('unless-stopped');
  });
});

describe('the application’s own commands around a snapshot', () => {
  test('run before and behind the reading, and behind it also when the one before fails', async () => {
    const scene = await running();
    const hooks = {
      before: shell('echo dumped > /data/dump'),
      after: shell('echo thawed > /tmp/thawed'),
      timeoutSeconds: 60,
    };
    await scene.snapshotAs({ consistency: 'running', hooks });
    expect(manifestOf(scene).entries.map(({ path }) => path)).toContain('/data/dump');
    expect(manifestOf(scene).quiesced?.hooks?.before).toContain('echo dumped');
    const container = stage.docker.getContainer(scene.containerId);
    await inside(scene, 'test -e /tmp/thawed && rm /tmp/thawed');
    const failing = { ...hooks, before: shell('exit 3') };
    await expectRefused(
      scene.snapshotAs({ consistency: 'paused', hooks: failing }, { attempt: 2 }),
      'hook_failed',
      /ended with 3/,
    );
    await inside(scene, 'test -e /tmp/thawed');
    expect((await container.inspect()).State.Paused).toBe(false);
  });

  test('the one behind it runs when the service was killed in between', async () => {
    const scene = await running();
    await killWhileTaking(stage, scene, {
      consistency: 'paused',
      hooks: {
        before: shell('echo frozen > /tmp/frozen'),
        after: shell('rm /tmp/frozen && echo thawed > /tmp/thawed'),
        timeoutSeconds: 60,
      },
    });
    await leaseEnds(scene);
    await waitFor(async () => ((await records(scene)).length === 0 ? true : undefined), {
      what: 'the sweep thaws it',
      deadlineMs: 60_000,
    });
    await inside(scene, 'test -e /tmp/thawed');
    await expectRunsAgain(scene);
  });
});

describe('a snapshot of what goes on running', () => {
  test('is fuzzy where files change while they are read, and comes back as it was read', async () => {
    const scene = await running();
    // as soon as the first list is there, and until the reading has ended
    const writing = setInterval(
      () => writeFileSync(join(scene.folder, 'plain'), String(performance.now())),
      5,
    );
    let made: Awaited<ReturnType<Scene['snapshotAs']>>;
    try {
      made = await scene.snapshotAs({ consistency: 'running' });
    } finally {
      clearInterval(writing);
    }
    expect(made.warnings?.join()).toMatch(/is fuzzy: \d+ of its files .*\/data\/plain/);
    const manifest = manifestOf(scene);
    expect(manifest.fuzzy?.some).toContain('/data/plain');
    const [row] = await stage.newCatalogue().list({ upgrade: manifest.upgrade, limit: 1 });
    expect(row?.fuzzy).toBe(manifest.fuzzy?.entries);
    await stage.docker.getContainer(scene.containerId).stop({ t: 1 });
    damage(scene.folder);
    await scene.restore();
    // whatever that was: of a file that was cut while it was read an archive has zeros
    const sha256 = hash('sha256', readFileSync(join(scene.folder, 'plain')));
    expect(manifest.entries).toContainEqual(
      expect.objectContaining({ path: '/data/plain', sha256 }),
    );
  });

  test('is not fuzzy where nothing changes, and says all that a quiet one says', async () => {
    const scene = await running();
    const digest = treeDigest(scene.folder);
    const made = await scene.snapshotAs({ consistency: 'running' });
    expect(made.warnings).toBeUndefined();
    const { entries } = manifestOf(scene);
    await stage.docker.getContainer(scene.containerId).stop({ t: 1 });
    const quiet = await stage.snapshots.take(scene.attempt(), {
      ...scene.input,
      backup: `${scene.input.backup}_quiet`,
      consistency: 'stopped',
    });
    const other = join(scene.location, '..', quiet.backup, 'manifest.json');
    expect(entries).toEqual((JSON.parse(readFileSync(other, 'utf8')) as Manifest).entries);
    damage(scene.folder);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });
});

async function inside(scene: Scene, script: string): Promise<void> {
  const made = await stage.docker
    .getContainer(scene.containerId)
    .exec({ Cmd: ['sh', '-c', script], AttachStdout: true });
  (await made.start({})).resume();
  const exitCode = await waitFor(
    async () => {
      const { Running, ExitCode } = await made.inspect();
      return Running ? undefined : { code: ExitCode };
    },
    { what: 'the command has ended', deadlineMs: 60_000 },
  );
  expect(exitCode).toEqual({ code: 0 });
}

function failWhilePaused(docker: BackupStage['docker'], scene: Scene): () => Promise<void> {
  return async () => {
    const { State } = await docker.getContainer(scene.containerId).inspect();
    if (State.Paused) throw new Error('cut off here');
  };
}
