import { LiftlockError } from '#kernel';

/** tar(5): headers are of so many bytes, and contents are filled up to a multiple of them. */
export const BLOCK = 512;

/** A header as it stands there, without what an extended one before it says. */
export interface TarHeader {
  readonly name: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes that follow, without what they are filled up with. */
  readonly size: number;
  readonly seconds: number;
  /** One character: `0` a file, `x` an extended header for the next entry … */
  readonly kind: string;
  readonly link: Buffer;
  readonly major: number;
  readonly minor: number;
}

/** By keyword; values are bytes, since names need not be text. */
export type ExtendedHeader = ReadonlyMap<string, Buffer>;

/** @returns nothing for a block of zeros, of which two end an archive. @throws LiftlockError `data_corrupt` */
export function parseHeader(block: Buffer): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  if (sum !== number(block, 148, 8))
    throw new LiftlockError('data_corrupt', 'the archive has a header with a wrong checksum');
  const prefix = text(block, 345, 155);
  const name = text(block, 0, 100);
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    mode: number(block, 100, 8),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    seconds: number(block, 136, 12),
    kind: String.fromCharCode(block[156] ?? 0).replace('\0', '0'),
    link: text(block, 157, 100),
    major: number(block, 329, 8),
    minor: number(block, 337, 8),
  };
}

/** Records of `<length> <keyword>=<value>\n` (pax(1), "pax Extended Header"). @throws LiftlockError `data_corrupt` */
export function parseExtended(bytes: Buffer): ExtendedHeader {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, space));
    const equals = bytes.indexOf(0x3d, space);
    if (!Number.isInteger(length) || length < 5 || at + length > bytes.length || equals < 0)
      throw new LiftlockError('data_corrupt', 'the archive has an extended header that is broken');
    records.set(
      bytes.toString('utf8', space + 1, equals),
      bytes.subarray(equals + 1, at + length - 1),
    );
    at += length;
  }
  return records;
}

/** Octal digits; or, with the first bit set, base 256. */
function number(block: Buffer, at: number, length: number): number {
  if (((block[at] ?? 0) & 0x80) !== 0) {
    let value = (block[at] ?? 0) & 0x7f;
    for (const byte of block.subarray(at + 1, at + length)) value = value * 256 + byte;
    return value;
  }
  const digits = text(block, at, length).toString('latin1').trim();
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function text(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}
