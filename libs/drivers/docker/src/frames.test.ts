import { pipeline, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { Tail } from '#drivers/data';
import { Stdout } from './frames.js';

function frame(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

function read(pieces: readonly Buffer[]): { out: Promise<Buffer>; errors: Tail } {
  const errors = new Tail();
  const out = new Stdout(errors);
  pipeline(Readable.from(pieces), out, () => undefined);
  return { out: buffer(out), errors };
}

test('frames are taken apart wherever they are cut', async () => {
  const all = Buffer.concat([frame(1, 'one '), frame(2, 'wrong'), frame(1, ''), frame(1, 'two')]);
  for (let size = 1; size <= all.length; size += 1) {
    const pieces: Buffer[] = [];
    for (let at = 0; at < all.length; at += size) pieces.push(all.subarray(at, at + size));
    const { out, errors } = read(pieces);
    expect((await out).toString()).toBe('one two');
    expect(errors.toString()).toBe('wrong');
  }
});

test('a connection that ends in the middle of a frame is no end', async () => {
  const all = frame(1, 'the whole of it');
  for (const length of [3, 10, all.length - 1]) {
    const { out } = read([all.subarray(0, length)]);
    await expect(out).rejects.toMatchObject({ code: 'target_unreachable' });
  }
});

const MARK = 'f00dfeedf00dfeedf00dfeedf00dfeed';

function readMarked(pieces: readonly Buffer[]): { out: Promise<Buffer>; marks: () => number } {
  let marks = 0;
  const out = new Stdout(new Tail(), {
    mark: MARK,
    onMarks: () => void (marks += 1),
    check: async () => undefined,
  });
  pipeline(Readable.from(pieces), out, () => undefined);
  return { out: buffer(out), marks: () => marks };
}

test('an output is whole when it ends with its mark, wherever it is cut, and the mark is no part of it', async () => {
  for (const content of ['', 'one', 'one and two, longer than a mark is, and once more so']) {
    const all = Buffer.from(content + MARK);
    for (let size = 1; size <= all.length; size += 1) {
      const pieces = [frame(2, 'words'), frame(2, MARK)];
      for (let at = 0; at < all.length; at += size)
        pieces.push(frame(1, all.subarray(at, at + size).toString()));
      const { out, marks } = readMarked(pieces);
      expect((await out).toString()).toBe(content);
      expect(marks()).toBe(1);
    }
  }
});

test('an output that is cut off between two frames is no whole one', async () => {
  const all = [frame(1, 'x'.repeat(100)), frame(1, 'y'.repeat(100)), frame(1, MARK)];
  for (let kept = 0; kept < all.length; kept += 1) {
    const { out, marks } = readMarked(all.slice(0, kept));
    await expect(out).rejects.toMatchObject({ code: 'target_unreachable' });
    expect(marks()).toBe(0);
  }
});

test('nobody is told that all came before the words have come', async () => {
  const { out, marks } = readMarked([frame(1, `all${MARK}`)]);
  await out;
  expect(marks()).toBe(0);
});
