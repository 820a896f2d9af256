import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { ZeroEnded } from './zero-ended.js';

const TEXT = 'one\0\0three\0four';

/** In pieces of so many bytes. */
function printed(bytes: number): Readable {
  const all = Buffer.from(TEXT);
  const pieces = Array.from({ length: Math.ceil(all.length / bytes) }, (_, at) =>
    all.subarray(at * bytes, (at + 1) * bytes),
  );
  return Readable.from(pieces, { objectMode: false });
}

async function all(fields: ZeroEnded): Promise<string[]> {
  const told: string[] = [];
  await fields.each((field) => {
    told.push(field.toString());
    return undefined;
  });
  return told;
}

test('fields are whole, however they come, and the last one need not be ended', async () => {
  for (let bytes = 1; bytes <= TEXT.length; bytes += 1)
    expect(await all(new ZeroEnded(printed(bytes)))).toEqual(['one', '', 'three', 'four']);
  expect(await all(new ZeroEnded(Readable.from([])))).toEqual([]);
});

test('what is behind one that is enough is left for the next call', async () => {
  for (let bytes = 1; bytes <= TEXT.length; bytes += 1) {
    const fields = new ZeroEnded(printed(bytes));
    const told: string[] = [];
    await fields.each((field) => {
      told.push(field.toString());
      return field.length === 0 ? 'enough' : undefined;
    });
    expect(told).toEqual(['one', '']);
    expect(await all(fields)).toEqual(['three', 'four']);
  }
});

test('an output that nobody understands is ended: what prints it would wait for its reader', async () => {
  const output = printed(3);
  const refused = new ZeroEnded(output).each(() => {
    throw new Error('what is that');
  });
  await expect(refused).rejects.toThrow('what is that');
  expect(output.destroyed).toBe(true);
});
