import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FolderData } from '#drivers/data';
import { damage, newFolder, plantTree, treeDigest } from '../../../../test/support/data-tree.js';
import { KubeScene, SLEEPS } from './kube-scene.js';

let scene: KubeScene;
const share = newFolder();
const elsewhere = newFolder();
beforeAll(async () => {
  scene = await KubeScene.open();
});
afterAll(async () => {
  await scene?.close();
  for (const folder of [share, elsewhere]) rmSync(folder, { recursive: true, force: true });
});

test('of a share that the service has mounted, too, the cluster says which pods mount it', async () => {
  const image = await scene.image('1.0', SLEEPS);
  const kbs = join(share, 'kbs');
  mkdirSync(kbs);
  await plantTree(kbs);
  writeFileSync(join(share, 'of others'), '');
  // as nodes have it that mount a share at one path
  const mounting = (path: string, readOnly = false): object => ({
    container: {
      volumeMounts: [
        { name: 'share', mountPath: '/data', readOnly },
        { name: 'zones', mountPath: '/zones', readOnly: true },
      ],
    },
    pod: {
      volumes: [
        { name: 'share', hostPath: { path } },
        { name: 'zones', hostPath: { path: '/usr/share' } },
      ],
    },
  });
  const upgrading = await scene.start('Deployment', 'kbs', image.reference, mounting(kbs));
  const other = await scene.start('Deployment', 'other', image.reference, mounting(share, true));
  await scene.start('Deployment', 'else', image.reference, mounting(elsewhere));
  const { container, containerId, keptName } = upgrading;
  const source = { container, containerId, keptName, folder: share, paths: ['/kbs'] };
  const data = new FolderData([share], scene.driver.data.folders);
  const users = (): Promise<string[]> => data.usedBy(upgrading.attempt(), source);
  expect(await users()).toEqual([expect.stringMatching(/^kbs-/), expect.stringMatching(/^other-/)]);
  await upgrading.stop();
  const context = upgrading.attempt();
  expect(await data.usedBy(context, source)).toEqual([expect.stringMatching(/^other-/)]);
  // the least role sees its own namespace alone, and says so
  expect(context.lines.join()).toContain('pods of theirs are not seen');
  await other.stop();
  expect(await users()).toEqual([]);
  expect(await data.origin(upgrading.attempt(), source)).toMatchObject({
    image: { reference: image.reference },
    mounts: [{ destination: '/', kind: 'bind' }],
  });
  const digest = treeDigest(kbs);
  const archive = await buffer(await data.read(upgrading.attempt(), source));
  damage(kbs);
  await data.write(upgrading.attempt(), source, Readable.from([archive]), 'one');
  await data.settle(upgrading.attempt(), source, ['one']);
  expect(treeDigest(kbs)).toBe(digest);
});
