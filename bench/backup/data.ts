import { randomBytes, randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes of one piece: as much as zstd -3 looks back, so that no piece is found again in the next. */
const PIECE = 2 * 1024 * 1024;
const FILES_OF_A_FOLDER = 500;

/** So many files of the same length. */
export interface Shape {
  readonly files: number;
  /** All of them together. */
  readonly bytes: number;
}

/** Fills a folder: what lies there is half random, half lines as a log has them, from one piece to the next. */
export function fillFolder(folder: string, { files, bytes }: Shape): void {
  const random = Buffer.alloc(PIECE);
  const lines = logLines();
  const length = Math.round(bytes / files);
  let isText = false;
  for (let at = 0; at < files; at += 1) {
    const below = join(folder, String(Math.floor(at / FILES_OF_A_FOLDER)));
    mkdirSync(below, { recursive: true });
    const file = openSync(join(below, `file-${at}`), 'wx');
    for (let left = length; left > 0; left -= PIECE) {
      isText = !isText;
      const part = Math.min(left, PIECE);
      if (!isText) randomFillSync(random, 0, part);
      // whatever is small begins elsewhere in the lines than the one before
      const from = (at * 4_099) % (PIECE - part + 1);
      writeSync(file, isText ? lines.subarray(from, from + part) : random.subarray(0, part));
    }
    closeSync(file);
  }
}

function logLines(): Buffer {
  const all: string[] = [];
  for (let bytes = 0; bytes < PIECE;) {
    const line = `2024-05-01T10:${String(all.length % 60).padStart(2, '0')}:07Z INFO request ${randomBytes(8).toString('hex')} took ${all.length % 997} ms\n`;
    all.push(line);
    bytes += line.length;
  }
  return Buffer.from(all.join('')).subarray(0, PIECE);
}
