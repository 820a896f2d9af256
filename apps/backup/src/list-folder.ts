import { createHash } from 'node:crypto';
import { createReadStream, type BigIntStats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { printable, type DataEntry } from '#drivers/core';

/**
 * What lies in a folder of this machine below these paths, as a manifest lists it: sorted by path, `/data` for `<folder>/data`. Extended
 * attributes are not told: Node has no call for them.
 */
export async function listFolder(folder: string, paths: readonly string[]): Promise<DataEntry[]> {
  const found: Array<{ entry: DataEntry; identity: string | undefined }> = [];
  const walk = async (at: Buffer): Promise<void> => {
    const stats = await lstat(at, { bigint: true });
    const path = printable(at.subarray(Buffer.byteLength(folder))) || '/';
    const entry = await entryOf(at, path, stats);
    const identity = stats.nlink > 1n && stats.isFile() ? `${stats.dev}:${stats.ino}` : undefined;
    found.push({ entry, identity });
    if (!stats.isDirectory()) return;
    for (const name of await readdir(at, { encoding: 'buffer' }))
      await walk(Buffer.concat([at, Buffer.from('/'), name]));
  };
  for (const path of outermost(paths))
    await walk(Buffer.from(path === '/' ? folder : `${folder}${path}`));
  const first = new Map<string, string>();
  return found
    .sort((a, b) => (a.entry.path < b.entry.path ? -1 : 1))
    .map(({ entry, identity }): DataEntry => {
      const other = identity === undefined ? undefined : first.get(identity);
      if (identity !== undefined && other === undefined) first.set(identity, entry.path);
      return other === undefined ? entry : { ...entry, sameFileAs: other };
    });
}

function outermost(paths: readonly string[]): string[] {
  const clean = [...new Set(paths.map((path) => path.replace(/(.)\/+$/, '$1')))];
  return clean.filter(
    (path) =>
      !clean.some((other) => path !== other && path.startsWith(other === '/' ? '/' : `${other}/`)),
  );
}

async function entryOf(at: Buffer, path: string, stats: BigIntStats): Promise<DataEntry> {
  const type = typeOf(stats);
  return {
    ...{ path, type, mode: (Number(stats.mode) & 0o7777).toString(8).padStart(4, '0') },
    ...{ uid: Number(stats.uid), gid: Number(stats.gid) },
    size: type === 'file' || type === 'symlink' ? Number(stats.size) : 0,
    mtime: secondsOf(stats.mtimeNs),
    ...(type === 'file' ? { sha256: await hashOf(at) } : {}),
    ...(type === 'symlink'
      ? { linkTarget: printable(await readlink(at, { encoding: 'buffer' })) }
      : {}),
    ...(type === 'character' || type === 'block' ? { device: deviceOf(stats.rdev) } : {}),
  };
}

function typeOf(stats: BigIntStats): DataEntry['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() ? 'block' : 'character';
}

function secondsOf(nanoseconds: bigint): string {
  const whole = nanoseconds / 1_000_000_000n;
  return `${whole}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}`;
}

/** makedev(3), as the GNU C library packs the two. */
function deviceOf(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

async function hashOf(at: Buffer): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(at), hash);
  return hash.digest('hex');
}
