import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import type { DataEntry } from '#drivers/core';
import { BOUNDS, entriesOf, proveArchive, type Listed, type Proof } from './archive-proof.js';

const TIME = new Date(1_700_000_000_000);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const signal = new AbortController().signal;

const file = (path: string, text: string, more: Partial<DataEntry> = {}): DataEntry => ({
  ...{ path, type: 'file', mode: '0644', uid: 7, gid: 8, size: text.length },
  ...{ mtime: '1700000000.000000000', sha256: sha256(text), ...more },
});
const TEXTS = { '/data/a': 'first', '/data/b': 'x'.repeat(70_000), '/data/c': 'third' };
const ENTRIES: readonly DataEntry[] = [
  { ...file('/data', ''), type: 'directory', mode: '0750', sha256: undefined },
  ...Object.entries(TEXTS).map(([path, text]) => file(path, text)),
  file('/data/d', TEXTS['/data/a'], { sameFileAs: '/data/a' }),
  {
    ...file('/data/link', ''),
    ...{ type: 'symlink', mode: '0777', size: 1, linkTarget: 'a', sha256: undefined },
  },
];

/** In the order that the folder had, which is not the manifest's. */
async function archive(
  texts: Readonly<Record<string, string>> = TEXTS,
  mode = 0o644,
  links = true,
): Promise<Buffer> {
  const tar = pack();
  const owner = { uid: 7, gid: 8, mtime: TIME };
  tar.entry({ name: 'data/', type: 'directory', mode: 0o750, ...owner });
  for (const path of ['/data/c', '/data/a', '/data/b'])
    tar.entry({ name: path.slice(1), mode, ...owner }, texts[path] ?? '');
  if (links) {
    tar.entry({ name: 'data/d', type: 'link', linkname: 'data/a', mode, ...owner });
    tar.entry({ name: 'data/link', type: 'symlink', linkname: 'a', mode: 0o777, ...owner });
  }
  tar.finalize();
  return buffer(tar);
}

const listed = (entries: readonly DataEntry[], format = 'tar.zst'): Listed => ({
  ...{ entries, format },
});

const prove = (
  bytes: Buffer,
  entries: readonly DataEntry[] = ENTRIES,
  bounds: Partial<typeof BOUNDS> = {},
): Promise<Proof> =>
  proveArchive(Readable.from([bytes]), listed(entries), signal, { ...BOUNDS, ...bounds });

describe('a small archive', () => {
  it('is compared whole: every entry, every content', async () => {
    expect(await prove(zstdCompressSync(await archive()))).toEqual({
      ...{ entries: 6, files: 3, bytes: 70_010, whole: true },
    });
  });

  it('is taken apart as it is where it is not compressed', async () => {
    const proof = proveArchive(
      ...([Readable.from([await archive()]), listed(ENTRIES, 'tar'), signal] as const),
    );
    expect(await proof).toMatchObject({ entries: 6, files: 3, whole: true });
    const other = Readable.from([await archive({ ...TEXTS, '/data/a': 'FIRST' })]);
    await expect(proveArchive(other, listed(ENTRIES, 'tar'), signal)).rejects.toThrow(
      /\/data\/a has sha256/,
    );
    const unknown = entriesOf(Readable.from(['{}']), signal, 'json');
    await expect(unknown).rejects.toMatchObject({ code: 'misconfigured' });
  });

  it('of a folder itself has it as /, and what is in it below that', async () => {
    const tar = pack();
    const owner = { uid: 7, gid: 8, mtime: TIME };
    tar.entry({ name: './', type: 'directory', mode: 0o750, ...owner });
    tar.entry({ name: './.hidden', mode: 0o644, ...owner }, 'x');
    tar.entry({ name: './..two', type: 'link', linkname: './.hidden', mode: 0o644, ...owner });
    tar.finalize();
    const entries = [
      { ...file('/', ''), type: 'directory', mode: '0750', sha256: undefined },
      file('/..two', 'x'),
      file('/.hidden', 'x', { sameFileAs: '/..two' }),
    ] as const;
    expect(await prove(zstdCompressSync(await buffer(tar)), entries)).toMatchObject({
      ...{ entries: 3, files: 1, whole: true },
    });
  });

  it('that has another content, mode, or one more or less, is refused by name', async () => {
    const other = zstdCompressSync(await archive({ ...TEXTS, '/data/a': 'FIRST' }));
    await expect(prove(other)).rejects.toThrow(/\/data\/a has sha256/);
    await expect(prove(zstdCompressSync(await archive(TEXTS, 0o600)))).rejects.toThrow(
      /\/data\/c has mode 0600 and not 0644/,
    );
    const bytes = zstdCompressSync(await archive());
    await expect(prove(bytes, ENTRIES.slice(0, -1))).rejects.toThrow(
      /\/data\/link should not be there/,
    );
    await expect(prove(bytes, [...ENTRIES, file('/data/z', 'z')])).rejects.toThrow(
      /1 of 7 entries are not in it/,
    );
    const parted = ENTRIES.map(({ sameFileAs: _sameFileAs, ...entry }) => entry);
    await expect(prove(bytes, parted)).rejects.toThrow(/\/data\/d is another name of \/data\/a/);
    const joined = ENTRIES.map((entry) =>
      entry.path === '/data/c' ? { ...entry, sameFileAs: '/data/a' } : entry,
    );
    await expect(prove(bytes, joined)).rejects.toThrow(/is a file of its own/);
  });

  it('that is cut off, has a damaged header, or is none at all is refused', async () => {
    const tar = await archive();
    const cuts = [tar.subarray(0, 700), tar.subarray(0, 512 * 4), Buffer.alloc(0)];
    for (const cut of cuts)
      await expect(prove(zstdCompressSync(cut))).rejects.toMatchObject({ code: 'data_corrupt' });
    const flipped = Buffer.from(tar);
    flipped[3] = (flipped[3] ?? 0) ^ 1;
    await expect(prove(zstdCompressSync(flipped))).rejects.toThrow(/wrong checksum/);
    await expect(prove(tar)).rejects.toThrow(/cannot be unpacked/);
    const packed = zstdCompressSync(tar);
    await expect(prove(packed.subarray(0, packed.length / 2))).rejects.toMatchObject({
      code: 'data_corrupt',
    });
  });
});

describe('a large archive', () => {
  it('is compared up to the bounds, and says that it was not all', async () => {
    const bytes = zstdCompressSync(await archive());
    expect(await prove(bytes, ENTRIES, { files: 1 })).toMatchObject({ files: 1, whole: false });
    expect(await prove(bytes, ENTRIES, { bytes: 100 })).toEqual({
      ...{ entries: 6, files: 2, bytes: 10, whole: false },
    });
    expect(await prove(bytes, ENTRIES, { unpacked: 512 })).toMatchObject({
      ...{ files: 0, whole: false },
    });
  });

  it('is all compared where the bounds are reached with the last that is known to be in it', async () => {
    const three = { files: 3 };
    const bytes = zstdCompressSync(await archive(TEXTS, 0o644, false));
    expect(await prove(bytes, ENTRIES.slice(0, 4), three)).toMatchObject({
      ...{ entries: 4, files: 3, whole: true },
    });
    await expect(
      prove(zstdCompressSync(await archive()), ENTRIES.slice(0, 4), three),
    ).rejects.toThrow(/\/data\/d should not be there/);
  });

  it('is read to its end all the same: what is wrong with its hash is seen', async () => {
    const bytes = zstdCompressSync(await archive());
    const failing = Readable.from(
      (async function* () {
        yield bytes;
        throw new Error('has another hash');
      })(),
    );
    await expect(
      proveArchive(failing, listed(ENTRIES), signal, { ...BOUNDS, files: 1 }),
    ).rejects.toThrow(/has another hash/);
  });

  it('is compared with what is known only when it was read, and not before', async () => {
    const entries = Promise.withResolvers<readonly DataEntry[]>();
    const bytes = zstdCompressSync(await archive());
    const read = Readable.from(
      (async function* () {
        yield bytes;
        entries.resolve(ENTRIES.slice(0, -1));
      })(),
    );
    const late = { format: 'tar.zst', entries: entries.promise };
    await expect(proveArchive(read, late, signal)).rejects.toThrow(/\/data\/link should not be/);
  });

  it('of another format is hashed only', async () => {
    const json = Readable.from([Buffer.from('{}')]);
    expect(await proveArchive(json, listed(ENTRIES, 'json'), signal)).toMatchObject({
      whole: false,
    });
  });
});

describe('what an archive holds', () => {
  it('is listed as the manifest lists it, in its order', async () => {
    const found = await entriesOf(
      Readable.from([zstdCompressSync(await archive())]),
      signal,
      'tar.zst',
    );
    const wanted = ENTRIES.map((entry) =>
      Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)),
    );
    expect(found).toEqual(wanted);
  });

  it('is read with its holes, as GNU tar writes them', async () => {
    const bytes = zstdCompressSync(await archiveWithHole(1024 * 1024));
    const [entry] = await entriesOf(Readable.from([bytes]), signal, 'tar.zst');
    const content = `beforehole!!${'\0'.repeat(1024 * 1024)}end`;
    expect(entry).toMatchObject({ path: '/data/holes', size: 1_048_591, sha256: sha256(content) });
  });

  it('is read whole where names and contents begin in one piece and end in the next', async () => {
    const tar = pack();
    const texts = new Map<string, string>();
    for (let at = 0; at < 400; at += 1) {
      const name = `data/${'long'.repeat(40)}-${at}`;
      const text = String(at).repeat(5_000 + at);
      texts.set(`/${name}`, text);
      tar.entry({ name, mode: 0o644, mtime: TIME }, text);
    }
    tar.finalize();
    const bytes = await buffer(tar);
    for (const [format, archived] of [
      ['tar.zst', [zstdCompressSync(bytes)]],
      // each in memory of its own, and of many lengths
      [
        'tar',
        Array.from({ length: 60 }, (_, at) =>
          bytes.subarray(at * at * 2_000, (at + 1) ** 2 * 2_000),
        ),
      ],
    ] as const) {
      const found = await entriesOf(Readable.from(archived), signal, format);
      const told = new Map(found.map(({ path, sha256: hash }) => [path, hash]));
      expect(told).toEqual(new Map([...texts].map(([path, text]) => [path, sha256(text)])));
    }
  });

  it('is hashed, however large a hole is, with others served meanwhile', async () => {
    const bytes = await archiveWithHole(64 * 1024 * 1024);
    let turns = 0;
    const count = (): void => {
      turns += 1;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    await entriesOf(Readable.from([bytes]), signal, 'tar');
    clearImmediate(counting);
    expect(turns).toBeGreaterThanOrEqual(64);
  });
});

/** As `tar --create --format=posix --sparse` writes a file of 12 bytes, a hole, and 3 bytes. */
async function archiveWithHole(bytes: number): Promise<Buffer> {
  const map = Buffer.alloc(512);
  map.write(`2\n0\n12\n${12 + bytes}\n3\n`);
  const tar = pack();
  tar.entry(
    {
      ...{ name: 'data/GNUSparseFile.7/holes', mode: 0o644, mtime: TIME },
      pax: {
        ...{ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' },
        ...{ 'GNU.sparse.name': 'data/holes', 'GNU.sparse.realsize': String(bytes + 15) },
      },
    },
    Buffer.concat([map, Buffer.from('beforehole!!end')]),
  );
  tar.finalize();
  return buffer(tar);
}
