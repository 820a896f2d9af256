import { LiftlockError } from '#kernel';

/** Tar works in blocks of so many bytes. */
export const BLOCK = 512;

/** One header block: POSIX ustar, with GNU's base 256 for large numbers. */
export interface TarHeader {
  readonly name: string;
  readonly size: number;
  /** `0` a file, `1` and `2` links, `L` a long name, `x` and `g` POSIX records … */
  readonly type: string;
  readonly link: string;
}

/** What GNU (`L`, `K`) and POSIX (`x`) entries say of the one that follows them. */
export interface TarOverrides {
  name?: string;
  link?: string;
  size?: number;
}

/** @returns undefined for a block of zeros: the end @throws LiftlockError `image_corrupt` */
export function parseTarHeader(block: Buffer, where: string): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const told = number(block, 148, 8);
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) sum += at >= 148 && at < 156 ? 32 : (block[at] ?? 0);
  if (sum !== told)
    throw new LiftlockError(
      'image_corrupt',
      `${where} is not a tar archive, or damaged: a header's checksum is wrong`,
    );
  const prefix =
    block.toString('latin1', 257, 262) === 'ustar' && block[263] === 0x30
      ? text(block, 345, 155)
      : '';
  const name = text(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: number(block, 124, 12),
    type: String.fromCharCode(block[156] ?? 0).replace('\0', '0'),
    link: text(block, 157, 100),
  };
}

/** Entries whose content says something of the next one. */
export function isTarExtension(type: string): boolean {
  return type === 'L' || type === 'K' || type === 'x' || type === 'g';
}

export function readTarExtension(type: string, content: Buffer, overrides: TarOverrides): void {
  const changed = overrides;
  if (type === 'L') changed.name = content.toString('utf8').replace(/\0+$/, '');
  else if (type === 'K') changed.link = content.toString('utf8').replace(/\0+$/, '');
  else if (type === 'x') {
    for (const [key, value] of records(content)) {
      if (key === 'path') changed.name = value;
      else if (key === 'linkpath') changed.link = value;
      else if (key === 'size') changed.size = Number(value);
    }
  }
}

/** `<length> <key>=<value>\n`, the length in bytes and of all of it (POSIX pax). */
function* records(content: Buffer): Generator<[string, string]> {
  for (let at = 0; at < content.length;) {
    const blank = content.indexOf(0x20, at);
    const length = blank === -1 ? 0 : Number(content.toString('latin1', at, blank));
    if (!(length > blank - at)) return;
    const record = content.toString('utf8', blank + 1, at + length - 1);
    const equals = record.indexOf('=');
    yield [record.slice(0, equals), record.slice(equals + 1)];
    at += length;
  }
}

/** Bytes of content with what fills the last block. */
export function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString('utf8', at, end === -1 || end > at + length ? at + length : end);
}

function number(block: Buffer, at: number, length: number): number {
  // the first bit set: a binary number
  if (((block[at] ?? 0) & 0x80) !== 0) {
    let value = (block[at] ?? 0) & 0x7f;
    for (let next = at + 1; next < at + length; next += 1) value = value * 256 + (block[next] ?? 0);
    return value;
  }
  return Number.parseInt(
    block
      .toString('latin1', at, at + length)
      .replace(/[\0 ]+$/g, '')
      .trim() || '0',
    8,
  );
}
