import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LiftlockError, waitFor } from '#kernel';
import { damage, plantTree, treeDigest } from '../../../../test/support/data-tree.js';
import { RUN_SOURCE } from '../../../../test/support/run-source.js';
import { scriptProcesses } from '../src/script-marks.js';
import { FolderScene } from './folder-scene.js';

let scene: FolderScene;
let share: string;
let archive: string;
let digest: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  scene = new FolderScene();
  share = scene.folder('share');
  archive = join(scene.top, 'archive');
  await plantTree(share);
  // does not get smaller by packing
  writeFileSync(join(share, 'noise'), randomBytes(8 * 1024 * 1024));
  digest = treeDigest(share);
  writeFileSync(archive, await scene.read(scene.source(share)));
  execFileSync('mkfifo', [`${archive}.pipe`]);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  scene.clean();
});

const MIDDLE = 4 * 1024 * 1024;

/** A process that has begun to work on the data. */
async function begun(doing: 'read' | 'write' | 'into' | 'from'): Promise<ChildProcess> {
  const child = fork(
    fileURLToPath(import.meta.resolve('./folder-child.ts')),
    [doing, scene.top, scene.upgrade, share, archive, String(MIDDLE)],
    { execArgv: [...RUN_SOURCE] },
  );
  children.push(child);
  await once(child, 'message');
  return child;
}

async function ours(): Promise<number[]> {
  return [...(await scriptProcesses())]
    .filter(([, { upgrade }]) => upgrade === scene.upgrade)
    .map(([number]) => number);
}
const untilNone = (): Promise<boolean> =>
  waitFor(async () => (await ours()).length === 0, {
    ...{ what: 'no process of the script', deadlineMs: 60_000 },
  });

test.each(['read', 'write', 'into', 'from'] as const)(
  'all of a script ends with the service that was killed in the middle of its %s',
  async (doing) => {
    const writes = doing === 'write' || doing === 'from';
    if (writes) damage(share);
    const child = await begun(doing);
    expect((await ours()).length).toBeGreaterThan(1);
    child.kill('SIGKILL');
    await untilNone();
    if (!writes) return;
    expect(existsSync(join(share, '.liftlock-aside-one/complete'))).toBe(true);
    await scene.write(scene.source(share), readFileSync(archive), 'one');
    await scene.data.settle(scene.attempt(), scene.source(share), ['one']);
    expect(treeDigest(share)).toBe(digest);
  },
);

test('what a service that stands still left at work is ended before the next attempt begins', async () => {
  damage(share);
  const child = await begun('write');
  child.kill('SIGSTOP');
  const left = await ours();
  expect(left.length).toBeGreaterThan(1);
  // its own token is not another's: the scene's first attempt had 1, too, in a step of another name
  expect(await scene.data.usedBy(scene.attempt(), scene.source(share))).toEqual([]);
  await untilNone();
  await scene.write(scene.source(share), readFileSync(archive), 'one');
  await scene.data.settle(scene.attempt(), scene.source(share), ['one']);
  expect(treeDigest(share)).toBe(digest);
});

test('an attempt that is ended ends with its reason, and nothing of it goes on', async () => {
  const reason = new LiftlockError('fenced', 'a later attempt has taken over');
  const abort = new AbortController();
  const stream = await scene.data.read(
    scene.attempt({ signal: abort.signal }),
    scene.source(share),
  );
  abort.abort(reason);
  await expect(buffer(stream)).rejects.toBe(reason);
  await untilNone();
  const again = new AbortController();
  const writing = scene.data.write(
    scene.attempt({ signal: again.signal }),
    scene.source(share),
    Readable.from(
      (async function* () {
        yield readFileSync(archive).subarray(0, MIDDLE);
        again.abort(reason);
        yield readFileSync(archive).subarray(MIDDLE);
      })(),
    ),
  );
  await expect(writing).rejects.toBe(reason);
  expect(await ours()).toEqual([]);
});

test('a script that has a file ends with its attempt, and is an error when it is ended or killed', async () => {
  const source = scene.source(share);
  // neither end of it is ever reached
  const pipe = await open(`${archive}.pipe`, 'r+');
  const begin = (changes?: Parameters<typeof scene.attempt>[0]) =>
    scene.data.readMeasuredInto(scene.attempt(changes), source, pipe, async () => undefined);
  const reason = new LiftlockError('fenced', 'a later attempt has taken over');
  const abort = new AbortController();
  const first = await begin({ signal: abort.signal });
  abort.abort(reason);
  await expect(first.ended).rejects.toBe(reason);
  await expect(first.entries).rejects.toBe(reason);
  expect(await ours()).toEqual([]);
  const second = await begin();
  process.kill(Math.min(...(await ours())), 'SIGKILL');
  await expect(second.ended).rejects.toMatchObject({ code: 'target_unreachable', retryable: true });
  expect(await ours()).toEqual([]);
  const third = await begin();
  third.end();
  await expect(third.ended).rejects.toMatchObject({ code: 'target_unreachable' });
  expect(await ours()).toEqual([]);
  // of what was archived so far
  await pipe.close();
  const input = await open(`${archive}.pipe`, 'r+');
  const again = new AbortController();
  const writing = scene.data.writeFrom(
    scene.attempt({ signal: again.signal }),
    ...([source, input, 'one'] as const),
  );
  await waitFor(async () => (await ours()).length > 2, {
    ...{ what: 'the script at work', deadlineMs: 60_000 },
  });
  again.abort(reason);
  await expect(writing).rejects.toBe(reason);
  expect(await ours()).toEqual([]);
  await input.close();
});

test('a script that is killed in mid-read is an error, never a short archive', async () => {
  const stream = await scene.data.read(scene.attempt(), scene.source(share));
  const read = buffer(
    (async function* () {
      let killed = false;
      for await (const piece of stream as AsyncIterable<Buffer>) {
        if (!killed) for (const number of await ours()) process.kill(number, 'SIGKILL');
        killed = true;
        yield piece;
      }
    })(),
  );
  await expect(read).rejects.toMatchObject({ code: 'target_unreachable', retryable: true });
  expect(statSync(archive).size).toBeGreaterThan(MIDDLE);
});
