import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { commandWork, editWork } from '#contracts';
import type { Driver, StepContext } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { systemIds } from '#kernel';
import { newFolder } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf, crashAt } from '../../../../test/support/step-context.js';
import { temporaryPath } from '../src/file-scripts.js';

const PREFIX = 'dkedit';
const PATH = '/etc/web/settings.conf';
const STEP = 'h1/w1/web@one/before-raise';
const BEFORE = '# settings\nformat=1\nport=80\n';
const AFTER = '# settings\nformat=2\nport=80\n';
const RAISE = [{ line: 'format=1', with: 'format=2' }];
const LOWER = [{ line: 'format=2', with: 'format=1' }];
let docker: Docker;
let endpoint: string;
let driver: Driver;
let image: string;
let folder: string;
let container: string;
let containerId: string;
let upgrade: string;
let token: number;

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  image = await serviceImage(docker, 'liftlock-test-edits:1.0', '1.0');
});
afterAll(async () => {
  await driver?.close();
});
beforeEach(async () => {
  folder = newFolder();
  writeFileSync(here(), BEFORE);
  upgrade = systemIds.next('upg');
  token = 0;
  container = `${PREFIX}-${upgrade.slice(-8)}`;
  await create([`${folder}:/etc/web:ro`]);
});
afterEach(async () => {
  await cleanUp(docker, PREFIX);
  for (const volume of await records()) await docker.getVolume(volume).remove();
  rmSync(folder, { recursive: true, force: true });
});

const here = (): string => join(folder, 'settings.conf');
const content = (): string => readFileSync(here(), 'utf8');
const inFolder = (): string[] => readdirSync(folder);

async function create(binds: string[]): Promise<void> {
  await cleanUp(docker, container);
  const made = await docker.createContainer({
    ...{ name: container, Image: image, StopTimeout: 1 },
    HostConfig: { Binds: binds, NetworkMode: 'none' },
  });
  containerId = made.id;
}

async function records(): Promise<string[]> {
  const filters = { label: ['dev.liftlock.role=edit', `dev.liftlock.upgrade=${upgrade}`] };
  return ((await docker.listVolumes({ filters })).Volumes ?? []).map(({ Name }) => Name);
}

function attempt(stepId: string, changes: Partial<StepContext> = {}): StepContext {
  token += 1;
  return contextOf(endpoint, { upgrade, stepId, token, ...changes });
}
const named = () => ({ container, containerId });
const workOf = (replace: object[], path = PATH) => editWork.parse({ type: 'edit', path, replace });
const edit = (replace: object[] = RAISE, changes: Partial<StepContext> = {}, path = PATH) =>
  driver.hooks.edit(attempt(STEP, changes), {
    ...{ ...named(), work: workOf(replace, path), recorded: true },
  });
const undo = (replace: object[] = LOWER, changes: Partial<StepContext> = {}) =>
  driver.hooks.edit(attempt('h1/back/undo-raise', changes), {
    ...{ ...named(), work: workOf(replace), recorded: false, undoes: STEP },
  });
const forget = () =>
  driver.hooks.forgetEdits(attempt('finalize/forget'), { container, steps: ['other', STEP] });

describe('an edit', () => {
  test('keeps all but content and time, is found again, and is put back', async () => {
    chmodSync(here(), 0o640);
    chownSync(here(), 4_000_123, 4_000_456);
    execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', here()]);
    execFileSync('setfacl', ['-m', 'u:1234:r', here()]);
    const all = (): object => {
      const { mode, uid, gid } = statSync(here());
      const attributes = execFileSync('getfattr', ['-d', '-m', '-', '-e', 'hex', here()], {
        ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      });
      return { mode, uid, gid, attributes };
    };
    const before = all();
    expect(JSON.stringify(before)).toContain('user.note');
    expect(JSON.stringify(before)).toContain('posix_acl_access');
    expect(await edit()).toMatchObject({ found: 'done_now' });
    expect(content()).toBe(AFTER);
    expect(all()).toEqual(before);
    expect(await edit()).toMatchObject({ found: 'done_before' });
    expect([content(), inFolder()]).toEqual([AFTER, ['settings.conf']]);

    expect(await undo()).toMatchObject({ found: 'done_now' });
    expect(content()).toBe(BEFORE);
    expect(all()).toEqual(before);
    expect(await undo()).toMatchObject({ found: 'nothing_to_do' });
    expect([content(), inFolder(), await records()]).toEqual([BEFORE, ['settings.conf'], []]);
  });

  test('is made while the container runs, which sees it, and undone when it is kept under another name', async () => {
    const one = docker.getContainer(containerId);
    await one.start();
    await edit();
    expect(content()).toBe(AFTER);
    const { said } = await driver.hooks.command(attempt('look'), {
      ...{ container, onlyWhileRunning: false },
      work: commandWork.parse({ type: 'command', command: ['cat', PATH] }),
    });
    expect(said).toContain('format=2');
    await one.rename({ name: `${container}-kept` });
    await one.stop({ t: 0 });
    expect(await undo()).toMatchObject({ found: 'done_now' });
    expect(content()).toBe(BEFORE);
  });

  test('of the whole application is of whatever has the name', async () => {
    const work = workOf(RAISE);
    await driver.hooks.edit(attempt(STEP), { container, work, recorded: true });
    expect(content()).toBe(AFTER);
    const back = { container, work: workOf(LOWER), recorded: false, undoes: STEP };
    await driver.hooks.edit(attempt('application/undo'), back);
    expect(content()).toBe(BEFORE);
  });

  test('keeps how lines end, bytes of any encoding, and a last line without an end', async () => {
    const strange = Buffer.from('a\r\nformat=1\r\nname=\xe4\xff\r\nlast', 'latin1');
    writeFileSync(here(), strange);
    const replace = [...RAISE, { line: 'last', with: ['last', 'ünd more'] }];
    await edit(replace);
    const wanted = Buffer.concat([
      Buffer.from('a\r\nformat=2\r\nname=\xe4\xff\r\nlast\r\n', 'latin1'),
      Buffer.from('ünd more', 'utf8'),
    ]);
    expect(readFileSync(here())).toEqual(wanted);
    await undo(replace.map(({ line, with: other }) => ({ line: other, with: line })));
    expect(readFileSync(here())).toEqual(strange);
  });

  test('that others made before is theirs: the way back leaves it', async () => {
    writeFileSync(here(), AFTER);
    expect(await edit()).toMatchObject({ found: 'done_before' });
    expect(await undo()).toMatchObject({ found: 'nothing_to_do' });
    expect([content(), await records()]).toEqual([AFTER, []]);
  });

  test('leaves what others changed beside it, and refuses what they changed of it', async () => {
    await edit();
    writeFileSync(here(), `${AFTER}more=1\n`);
    await undo();
    expect(content()).toBe(`${BEFORE}more=1\n`);
    await edit();
    writeFileSync(here(), '# settings\nformat=3\n');
    const error = await failureOf(undo());
    expect(error).toMatchObject({ code: 'hook_failed' });
    expect(error.message).toContain(
      'is not as the edit left it: "format=2" is there not at all, and "format=1" not at all',
    );
    expect(content()).toBe('# settings\nformat=3\n');
  });

  test('whose record somebody removed is not taken for one that was never made', async () => {
    await edit();
    for (const volume of await records()) await docker.getVolume(volume).remove();
    expect((await failureOf(undo())).message).toContain('no record says');
    expect(content()).toBe(AFTER);
  });

  test('that stays is written down no longer', async () => {
    await edit();
    expect(await records()).toHaveLength(1);
    expect(await forget()).toMatchObject({ found: 'done_now' });
    expect(await records()).toEqual([]);
    expect(await forget()).toMatchObject({ found: 'nothing_to_do' });
    expect(content()).toBe(AFTER);
  });
});

describe('nothing is changed', () => {
  const dirty: Array<[what: string, make: () => void, why: string]> = [
    ['the file is not there', () => rmSync(here()), 'is not there'],
    ['the line is there twice', () => writeFileSync(here(), `${BEFORE}format=1\n`), '2 times'],
    ['the line is not there', () => writeFileSync(here(), 'format=10\n'), 'not at all'],
    ['both are there', () => writeFileSync(here(), `${BEFORE}format=2`), '"format=2" once'],
    ['it is no text', () => writeFileSync(here(), `${BEFORE}\0`), 'holds NUL'],
    [
      'it is large',
      () => writeFileSync(here(), `${BEFORE}${'x\n'.repeat(600_000)}`),
      'has 1200028 bytes, and at most 1 MiB',
    ],
    [
      'it is a link',
      () => {
        rmSync(here());
        writeFileSync(join(folder, 'real'), BEFORE);
        symlinkSync('real', here());
      },
      'is a symbolic link',
    ],
    [
      'it is a folder',
      () => {
        rmSync(here());
        mkdirSync(here());
      },
      'is no file',
    ],
    ['it has another name', () => linkSync(here(), join(folder, 'other')), 'hard links'],
  ];
  test.each(dirty)('where %s', async (_what, make, why) => {
    make();
    const tree = (): string =>
      execFileSync('sh', ['-c', `cd ${folder} && ls -li && cat real settings.conf 2>&1 | cksum`], {
        encoding: 'utf8',
      });
    const before = tree();
    const error = await failureOf(edit());
    expect(error).toMatchObject({ code: 'hook_failed' });
    expect(error.message).toContain(`${PATH} of ${container} on one`);
    expect(error.message).toContain(why);
    // and there is nothing to take back
    expect((await undo()).found).toMatch(/nothing_to_do|done_before/);
    expect(tree()).toBe(before);
    expect(await records()).toEqual([]);
  });

  test('where the file is mounted by itself, or with the container alone', async () => {
    await create([`${here()}:${PATH}`]);
    expect((await failureOf(edit())).message).toContain('mount the folder that it lies in');
    const elsewhere = await failureOf(edit(RAISE, {}, '/srv/index.html'));
    expect(elsewhere).toMatchObject({ code: 'data_missing' });
    expect(content()).toBe(BEFORE);
  });

  test('where somebody changes it between the look and the rename', async () => {
    let asked = 0;
    const guard = async (): Promise<void> => {
      asked += 1;
      // the record, the helper that is made, and its start
      if (asked === 3) writeFileSync(here(), `${BEFORE}more=1\n`);
    };
    const error = await failureOf(edit(RAISE, { guard }));
    expect(error.message).toContain('was changed while it was edited');
    expect([content(), inFolder()]).toEqual([`${BEFORE}more=1\n`, ['settings.conf']]);
    expect(await edit()).toMatchObject({ found: 'done_now' });
  });
});

describe('an attempt that was killed', () => {
  test('before any single change leaves what the next one takes up, and what the way back takes back', async () => {
    for (const cut of [1, 2, 3]) {
      expect((await failureOf(edit(RAISE, crashAt(cut)))).code).toBe('fenced');
      expect(content()).toBe(BEFORE);
      await undo();
      expect([content(), inFolder(), await records()]).toEqual([BEFORE, ['settings.conf'], []]);
    }
    await failureOf(edit(RAISE, crashAt(3)));
    expect(await edit()).toMatchObject({ found: 'done_now' });
    for (const cut of [1, 2, 3]) {
      expect((await failureOf(undo(LOWER, crashAt(cut)))).code).toBe('fenced');
      expect(await records()).toHaveLength(1);
    }
    await undo();
    expect([content(), inFolder(), await records()]).toEqual([BEFORE, ['settings.conf'], []]);
  });

  test('has no helper left that could come after the way back, also beside a container that is gone', async () => {
    const work = workOf(RAISE);
    await driver.hooks.edit(attempt(STEP), { container, work, recorded: true });
    const marks = { upgrade, role: 'helper', step: STEP, token: '1', of: containerId };
    const helper = await docker.createContainer({
      ...{ name: `${container}-helper`, Image: image, Cmd: ['sleep', '600'] },
      Labels: Object.fromEntries(
        Object.entries(marks).map(([name, value]) => [`dev.liftlock.${name}`, value]),
      ),
    });
    await helper.start();
    const gone = containerId;
    await docker.getContainer(containerId).remove({ force: true });
    const made = await docker.createContainer({
      ...{ name: container, Image: image, StopTimeout: 1 },
      HostConfig: { Binds: [`${folder}:/etc/web`], NetworkMode: 'none' },
    });
    expect(made.id).not.toBe(gone);
    const back = { container, work: workOf(LOWER), recorded: false, undoes: STEP };
    expect(await driver.hooks.edit(attempt('undo'), back)).toMatchObject({ found: 'done_now' });
    await expect(helper.inspect()).rejects.toMatchObject({ statusCode: 404 });
    expect(content()).toBe(BEFORE);
  });

  test('between write and rename leaves a copy, which the next one replaces, and the way back removes', async () => {
    const copy = join(folder, temporaryPath(PATH).replace('/etc/web/', ''));
    await failureOf(edit(RAISE, crashAt(3)));
    writeFileSync(copy, '# settings\nform');
    expect(await undo()).toMatchObject({ found: 'done_before' });
    expect([content(), inFolder()]).toEqual([BEFORE, ['settings.conf']]);
    writeFileSync(copy, '# settings\nform');
    await edit();
    expect([content(), inFolder()]).toEqual([AFTER, ['settings.conf']]);
    expect(existsSync(copy)).toBe(false);
  });
});
