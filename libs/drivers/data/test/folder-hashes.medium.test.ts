import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { printable } from '#drivers/core';
import { expectRefused, FolderScene } from './folder-scene.js';

let scene: FolderScene;
beforeEach(() => {
  scene = new FolderScene();
});
afterEach(() => scene.clean());

test('files are hashed whatever bytes are in their names', async () => {
  const folder = scene.folder('share');
  const hashes = new Map<string, string>();
  for (let byte = 1; byte < 256; byte += 1) {
    if (byte === 0x2f) continue;
    for (const end of ['a', 'b']) {
      const name = Buffer.from([0x5f, byte, end.charCodeAt(0)]);
      const content = `${byte} ${end}`;
      writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), content);
      hashes.set(
        printable(Buffer.concat([Buffer.from('/'), name])),
        createHash('sha256').update(content).digest('hex'),
      );
    }
  }
  const list = await scene.data.list(scene.attempt(), scene.source(folder));
  const found = list.filter(({ type }) => type === 'file');
  expect(new Map(found.map(({ path, sha256 }) => [path, sha256]))).toEqual(hashes);
});

test.each(['a', 'b', '\n'])(
  'a file that cannot be read is an error, and none without a hash: %j',
  async (name) => {
    const folder = scene.folder('share');
    for (const one of ['a', 'b', '\n']) writeFileSync(join(folder, one), one);
    // nothing lies at the beginning of a memory: root reads every other file
    const broken = join(folder, name);
    scene.mount(broken, ['--bind', '/proc/self/mem']);
    await expectRefused(
      scene.data.list(scene.attempt(), scene.source(folder)),
      'target_refused',
      /share/,
    );
  },
);
