import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { parseSpace } from './data-space.js';

function printed(
  places: readonly string[],
  entries: readonly string[],
  keptAside: readonly string[] = [],
): Readable {
  const all = [...places, '', ...entries, '', ...keptAside].map((field) => `${field}\0`).join('');
  return Readable.from([Buffer.from(all)], { objectMode: false });
}

test('a file with two names takes its room once, and two places of one disk have its free room once', async () => {
  const space = await parseSpace(
    printed(
      [
        ...['5', '100', '4096', '/data'],
        ...['5', '100', '4096', '/data/part'],
        ...['8', '2', '512', '/other'],
      ],
      [
        ...['5', '8', '1', '1'],
        ...['5', '8', '2', '7'],
        ...['5', '8', '2', '7'],
        ...['8', '0', '1', '1'],
      ],
    ),
  );
  expect(space).toEqual({
    disks: [
      { places: ['/data', '/data/part'], usedBytes: 8_192, freeBytes: 409_600 },
      { places: ['/other'], usedBytes: 0, freeBytes: 1_024 },
    ],
    entries: 4,
    keptAside: [],
  });
});

test('of data that is not there nothing is taken; what is kept aside is told, once', async () => {
  expect(await parseSpace(printed(['5', '1', '4096', '/data'], [], ['one', 'two', 'one']))).toEqual(
    {
      disks: [{ places: ['/data'], usedBytes: 0, freeBytes: 4_096 }],
      entries: 0,
      keptAside: ['one', 'two'],
    },
  );
});
