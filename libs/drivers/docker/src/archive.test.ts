import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { archivedId, archivedNames, readArchive } from './archive.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-archive-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

type Entry = readonly [Pick<Header, 'name'> & Partial<Header>, (string | Buffer)?];

async function tarOf(entries: readonly Entry[], isCompressed = false): Promise<string> {
  const file = join(folder, 'image.tar');
  const tar = pack();
  for (const [header, content] of entries) tar.entry(header, content ?? '');
  tar.finalize();
  const to = createWriteStream(file);
  await (isCompressed ? pipeline(tar, createGzip(), to) : pipeline(tar, to));
  return file;
}

const hex = (digit: string): string => digit.repeat(64);
const json = (name: string, value: unknown): Entry => [{ name }, JSON.stringify(value)];
const diffIds = (...digits: string[]): object => ({
  rootfs: { type: 'layers', diff_ids: digits.map((digit) => `sha256:${hex(digit)}`) },
});

test.each([false, true])(
  'as docker save wrote it before 25: a layer of two images is a link in the second (compressed: %s)',
  async (isCompressed) => {
    const file = await tarOf(
      [
        [{ name: 'l1/layer.tar' }, Buffer.alloc(3_000, 'x')],
        [{ name: 'l2/layer.tar', type: 'symlink', linkname: '../l1/layer.tar' }],
        [{ name: 'l3/layer.tar' }, Buffer.alloc(500, 'y')],
        json(`${hex('a')}.json`, diffIds('1')),
        json(`${hex('b')}.json`, diffIds('1', '3')),
        json('manifest.json', [
          { Config: `${hex('a')}.json`, RepoTags: ['app:1'], Layers: ['l1/layer.tar'] },
          {
            Config: `${hex('b')}.json`,
            RepoTags: null,
            Layers: ['l2/layer.tar', 'l3/layer.tar'],
          },
        ]),
      ],
      isCompressed,
    );
    const contents = await readArchive(file);
    const shared = { bytes: 3_000, isCompressed: false, diffId: `sha256:${hex('1')}` };
    const own = { bytes: 500, isCompressed: false, diffId: `sha256:${hex('3')}` };
    expect(contents.images.map(({ layers }) => layers)).toEqual([[shared], [shared, own]]);
    expect(contents.bytes).toBeGreaterThan(3_500);
    expect(contents.bytes).toBeLessThan(4_500);
    expect(archivedNames(contents)).toEqual([{ name: 'app:1', imageId: `sha256:${hex('a')}` }]);
    expect(archivedId(contents, 'app:1')).toBe(`sha256:${hex('a')}`);
    expect(() => archivedId(contents, 'other:1')).toThrow(/holds 2 images \(app:1\), none of them/);
  },
);

test('as docker save writes it since 25, with layers packed in it, and a configuration that says nothing of them', async () => {
  const layer = gzipSync(Buffer.alloc(3_000, 'x'));
  const file = await tarOf([
    json('manifest.json', [
      {
        Config: `blobs/sha256/${hex('a')}`,
        RepoTags: ['app:1'],
        Layers: [`blobs/sha256/${hex('c')}`],
      },
    ]),
    json(`blobs/sha256/${hex('a')}`, { architecture: 'amd64' }),
    [{ name: `blobs/sha256/${hex('c')}` }, layer],
  ]);
  const { images } = await readArchive(file);
  expect(images).toEqual([
    {
      ...{ id: `sha256:${hex('a')}`, names: ['app:1'] },
      layers: [{ bytes: layer.byteLength, isCompressed: true, diffId: undefined }],
    },
  ]);
});
