import type { Readable } from 'node:stream';
import { printable, type DataEntry } from '#drivers/core';
import { parseAttributes } from './data-attributes.js';
import { belowRoot, type DataPlaces } from './data-places.js';
import { ZeroEnded } from './zero-ended.js';

const TYPES: Readonly<Record<string, DataEntry['type']>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  p: 'fifo',
  s: 'socket',
  c: 'character',
  b: 'block',
};
const FIELDS = 12;
/** Bytes in a block of find's `%b`. */
const BLOCK = 512;
const NEWLINE = 0x0a;
/** Of most entries, which need not have one each. */
const NONE: Readonly<Record<string, string>> = Object.freeze({});

type Named = (path: Buffer) => Buffer;

/** Reads the output of `listScript`. */
export function parseEntries(
  output: Readable,
  places: Pick<DataPlaces, 'root'> = {},
): Promise<DataEntry[]> {
  return entriesIn(new ZeroEnded(output), places);
}

/** Reads its fields to their end. */
export async function entriesIn(
  fields: ZeroEnded,
  places: Pick<DataPlaces, 'root'> = {},
): Promise<DataEntry[]> {
  const named = belowRoot(places);
  const entries: Listed[] = [];
  const hashes = new Map<string, string>();
  const devices = new Map<string, string>();
  const dumped: Buffer[] = [];
  const parts = ['entries', 'hashes', 'devices', 'attributes'] as const;
  let part = 0;
  let record: Buffer[] = [];
  await fields.each((field) => {
    if (record.length === 0 && field.length === 0 && part < parts.length - 1) {
      part += 1;
      return undefined;
    }
    switch (parts[part]) {
      case 'entries':
        record.push(field);
        if (record.length < FIELDS) break;
        entries.push(entryOf(record, named));
        record = [];
        break;
      case 'hashes':
        for (const line of hashLines(field))
          hashes.set(printable(named(line.subarray(66))), line.subarray(0, 64).toString('latin1'));
        break;
      case 'devices': {
        const { path, numbers } = deviceLine(field, named);
        devices.set(path, numbers);
        break;
      }
      default:
        dumped.push(field);
    }
    return undefined;
  });
  const attributes = attributesIn(part, dumped, named);
  const first = new Map<string, string>();
  return entries
    .sort((a, b) => (a.entry.path < b.entry.path ? -1 : a.entry.path > b.entry.path ? 1 : 0))
    .map(({ entry, identity }): DataEntry => {
      const { path } = entry;
      const more = attributes === undefined ? {} : { attributes: attributes.get(path) ?? NONE };
      const device = devices.get(path);
      if (device !== undefined) return { ...entry, ...more, device };
      if (entry.type !== 'file') return { ...entry, ...more };
      const other = identity === undefined ? undefined : first.get(identity);
      if (identity !== undefined && other === undefined) first.set(identity, path);
      return {
        ...entry,
        ...more,
        sha256: hashes.get(path),
        ...(other === undefined ? {} : { sameFileAs: other }),
      };
    });
}

/** Nothing when nobody could tell them: no getfattr, or one that failed, which says so in a field of its own. */
function attributesIn(
  part: number,
  dumped: readonly Buffer[],
  named: Named,
): ReadonlyMap<string, Readonly<Record<string, string>>> | undefined {
  const [dump = Buffer.alloc(0), ...more] = dumped;
  return part < 3 || more.length > 0 ? undefined : parseAttributes(dump, named);
}

interface Listed {
  readonly entry: DataEntry;
  /** Device and inode of a file that has several names. */
  readonly identity: string | undefined;
}

function entryOf(record: readonly Buffer[], named: Named): Listed {
  const words = [...record.slice(0, 6), ...record.slice(8, 10)].map((field) =>
    field.toString('latin1'),
  );
  const [type = '', mode = '', uid = '', gid = '', size = '', blocks = ''] = words;
  const [names = '1', identity] = words.slice(6);
  const kind = TYPES[type];
  if (kind === undefined) throw new Error(`find answered the type ${JSON.stringify(type)}`);
  const target = record[11];
  const allocated = Number(blocks) * BLOCK;
  const entry: DataEntry = {
    path: printable(named(record[10] ?? Buffer.alloc(0))),
    type: kind,
    mode: mode.padStart(4, '0'),
    uid: Number(uid),
    gid: Number(gid),
    // a folder's size is the file system's business, and need not be the same after a restore
    size: kind === 'file' || kind === 'symlink' ? Number(size) : 0,
    mtime: nanoseconds(record[6]),
    changed: nanoseconds(record[7]),
    ...(kind === 'file' && allocated < Number(size) ? { allocated } : {}),
    ...(kind === 'symlink' && target !== undefined ? { linkTarget: printable(target) } : {}),
  };
  return { entry, identity: Number(names) > 1 ? identity : undefined };
}

/** One of sha256sum is a field of its own; those of openssl are all in one, behind a newline. */
function* hashLines(field: Buffer): Generator<Buffer> {
  if (field[0] !== NEWLINE) {
    yield field;
    return;
  }
  for (let from = 1; from < field.length;) {
    const end = field.indexOf(NEWLINE, from);
    const line = field.subarray(from, end);
    if (end < 0 || line.toString('latin1', 64, 66) !== ' *')
      throw new Error(`openssl answered ${JSON.stringify(printable(field.subarray(from)))}`);
    yield line;
    from = end + 1;
  }
}

/** `<major>:<minor>  <path>`, the numbers in hex. */
function deviceLine(line: Buffer, named: Named): { path: string; numbers: string } {
  const end = line.indexOf('  ');
  const numbers = line.subarray(0, end).toString('latin1').split(':');
  return {
    path: printable(named(line.subarray(end + 2))),
    numbers: numbers.map((number) => Number.parseInt(number, 16)).join(':'),
  };
}

/** find prints ten decimals, of which the last is always 0. What is put together of parts, or cut, would hold them in memory. */
function nanoseconds(time: Buffer = Buffer.alloc(0)): string {
  const end = time.indexOf('.') + 10;
  if (end > 10 && time.length >= end) return time.toString('latin1', 0, end);
  const [whole = '0', fraction = ''] = time.toString('latin1').split('.');
  return `${whole}.${fraction.padEnd(9, '0').slice(0, 9)}`;
}
