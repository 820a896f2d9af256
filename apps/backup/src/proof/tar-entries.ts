import { createHash, type Hash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { printable, type DataEntry } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { ByteReader } from './byte-reader.js';
import {
  BLOCK,
  parseExtended,
  parseHeader,
  type ExtendedHeader,
  type TarHeader,
} from './tar-header.js';

/** Largest extended header that is read, in bytes: attributes have at most 64 KiB each. */
const LONGEST_HEADER = 16 * 1024 * 1024;
const ZEROS = Buffer.alloc(1024 * 1024);

const TYPES: Readonly<Record<string, DataEntry['type']>> = {
  '0': 'file',
  '7': 'file',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** What an archive holds, one entry after the other. A further name of a file that came before has that one's path. */
export type ArchivedEntry = DataEntry & { readonly linkTo?: string };

/**
 * Reads what GNU tar writes in posix format, holes among it.
 * @param hashes whether a file's content is wanted; what is not hashed has no `sha256`
 * @throws LiftlockError `data_corrupt` for what is no such archive, or is cut off
 */
export async function* tarEntries(
  tar: AsyncIterable<Buffer>,
  hashes: (path: string, size: number) => boolean = () => true,
): AsyncGenerator<ArchivedEntry> {
  const reader = new ByteReader(tar);
  let extended: ExtendedHeader = new Map();
  for (let block = await reader.take(BLOCK); ; block = await reader.take(BLOCK)) {
    if (block === undefined)
      throw new LiftlockError('data_corrupt', 'the archive ends without its mark of the end');
    const header = parseHeader(block);
    if (header === undefined) return;
    if (header.kind === 'x' || header.kind === 'g') {
      if (header.size > LONGEST_HEADER)
        throw new LiftlockError('data_corrupt', 'the archive has an extended header without end');
      const records = parseExtended((await reader.take(header.size)) ?? Buffer.alloc(0));
      await fill(reader, header.size);
      if (header.kind === 'x') extended = records;
      continue;
    }
    const stored = Number(extended.get('size')?.toString('latin1') ?? header.size);
    const entry = entryOf(header, extended, stored);
    const isHashed = entry.type === 'file' && entry.linkTo === undefined;
    const hash = isHashed && hashes(entry.path, entry.size) ? createHash('sha256') : undefined;
    await content(reader, stored, entry.size, extended.has('GNU.sparse.major'), hash);
    await fill(reader, stored);
    extended = new Map();
    yield hash === undefined ? entry : { ...entry, sha256: hash.digest('hex') };
  }
}

function entryOf(header: TarHeader, extended: ExtendedHeader, stored: number): ArchivedEntry {
  const named = extended.get('GNU.sparse.name') ?? extended.get('path') ?? header.name;
  const path = absolute(named);
  const link = extended.get('linkpath') ?? header.link;
  const isHardLink = header.kind === '1';
  const type = isHardLink ? 'file' : TYPES[header.kind];
  if (type === undefined)
    throw new LiftlockError(
      'data_corrupt',
      `${path} in the archive is of a kind that is not known: ${header.kind}`,
    );
  const number = (keyword: string, plain: number): number =>
    Number(extended.get(keyword)?.toString('latin1') ?? plain);
  const size =
    type === 'symlink' ? link.length : type === 'file' ? number('GNU.sparse.realsize', stored) : 0;
  const attributes = attributesIn(extended);
  return {
    path,
    type,
    mode: (header.mode & 0o7777).toString(8).padStart(4, '0'),
    uid: number('uid', header.uid),
    gid: number('gid', header.gid),
    size,
    mtime: withNanoseconds(extended.get('mtime')?.toString('latin1') ?? String(header.seconds)),
    ...(type === 'symlink' ? { linkTarget: printable(link) } : {}),
    ...(isHardLink ? { linkTo: absolute(link) } : {}),
    ...(type === 'character' || type === 'block'
      ? { device: `${header.major}:${header.minor}` }
      : {}),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
  };
}

/** As the manifest has them: access lists stand in fields of their own, in words, and are left out. */
function attributesIn(extended: ExtendedHeader): Record<string, string> {
  const prefix = 'SCHILY.xattr.';
  const attributes: Record<string, string> = {};
  for (const [keyword, value] of extended) {
    if (!keyword.startsWith(prefix)) continue;
    // tar writes these two so
    const name = keyword.slice(prefix.length).replaceAll('%3D', '=').replaceAll('%25', '%');
    attributes[printable(Buffer.from(name))] = value.toString('hex');
  }
  return attributes;
}

function absolute(name: Buffer): string {
  let end = name.length;
  while (end > 0 && name[end - 1] === 0x2f) end -= 1;
  // `.` is the folder that all of the data is below
  return `/${printable(name.subarray(0, end)).replace(/^\.?\/+|^\.$/, '')}`;
}

function withNanoseconds(time: string): string {
  const [whole = '0', fraction = ''] = time.split('.');
  return `${whole}.${fraction.padEnd(9, '0').slice(0, 9)}`;
}

function fill(reader: ByteReader, size: number): Promise<void> {
  const over = size % BLOCK;
  return reader.pass(over === 0 ? 0 : BLOCK - over, () => undefined);
}

/** Of a file with holes the archive has a map before what is not hole: decimal numbers, a line each, filled up to a block (GNU tar, "PAX Format, Version 1.0"). */
async function content(
  reader: ByteReader,
  stored: number,
  size: number,
  isSparse: boolean,
  hash: Hash | undefined,
): Promise<void> {
  if (!isSparse || hash === undefined) {
    await reader.pass(stored, (piece) => void hash?.update(piece));
    return;
  }
  let read = 0;
  let text = '';
  const lines: number[] = [];
  const wanted = (): number => 1 + 2 * (lines[0] ?? 0);
  while (lines.length === 0 || lines.length < wanted()) {
    const block = await reader.take(BLOCK);
    read += BLOCK;
    if (block === undefined || read > stored)
      throw new LiftlockError('data_corrupt', 'the archive has a map of holes without end');
    text += block.toString('latin1');
    const complete = text.split('\n');
    text = complete.pop() ?? '';
    lines.push(...complete.map(Number));
  }
  let at = 0;
  for (let part = 1; part + 1 < wanted(); part += 2) {
    const [offset = 0, length = 0] = lines.slice(part, part + 2);
    await hole(hash, offset - at);
    await reader.pass(length, (piece) => void hash.update(piece));
    read += length;
    at = offset + length;
  }
  await hole(hash, size - at);
  await reader.pass(stored - read, () => undefined);
}

/** A hole may be larger than any disk: whoever else the service works for has a turn after each piece. */
async function hole(hash: Hash, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= ZEROS.length) {
    hash.update(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS);
    await turn();
  }
}
