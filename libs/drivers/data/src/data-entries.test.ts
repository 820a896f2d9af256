import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { printable } from '#drivers/core';
import { parseEntries } from './data-entries.js';

test('names that differ by one byte never look the same', () => {
  const names = [
    ...Array.from({ length: 256 }, (_, byte) => Buffer.from([0x61, byte])),
    Buffer.from(String.raw`a\xFF`),
    Buffer.from('aÿ'),
    Buffer.from('🧀'),
    Buffer.from([0xf0, 0x9f, 0xa7]),
  ];
  expect(new Set(names.map(printable)).size).toBe(names.length);
  expect(printable(Buffer.from('käse 🧀'))).toBe('käse 🧀');
  expect(printable(Buffer.from([0x6b, 0xe4, 0xc3, 0xa4]))).toBe(String.raw`k\xE4ä`);
});

/** Lists as the script prints them, cut into small chunks, so that fields are, too. */
function printed(...parts: readonly (readonly string[])[]): Readable {
  const text = parts.map((part) => part.map((field) => `${field}\0`).join('')).join('\0');
  const bytes = Buffer.from(text, 'latin1');
  const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) =>
    bytes.subarray(i * 7, i * 7 + 7),
  );
  return Readable.from(chunks, { objectMode: false });
}
const HASH = 'ab'.repeat(32);
const ENTRIES = [
  ...[
    'f',
    '644',
    '0',
    '7',
    '10000',
    '8',
    '1.5000000000',
    '2.2500000000',
    '1',
    '9:1',
    '/d/holes',
    '',
  ],
  ...['c', '600', '0', '0', '0', '0', '1.0000000000', '2.0000000000', '1', '9:2', '/d/null', ''],
  ...['f', '600', '0', '0', '3', '8', '1.0000000000', '2.0000000000', '2', '9:3', '/d/one', ''],
  ...['f', '600', '0', '0', '3', '8', '1.0000000000', '2.0000000000', '2', '9:3', '/d/two', ''],
];
const HASHES = [`${HASH}  /d/holes`, `${HASH}  /d/one`, `${HASH}  /d/two`];

test('a device has its numbers, a file with holes what it takes, and a second name the first one', async () => {
  const entries = await parseEntries(printed(ENTRIES, HASHES, ['1:103  /d/null']));
  expect(entries.map(({ path }) => path)).toEqual(['/d/holes', '/d/null', '/d/one', '/d/two']);
  expect(entries[0]).toMatchObject({ size: 10_000, allocated: 4_096, sha256: HASH, gid: 7 });
  expect(entries[1]).toMatchObject({ type: 'character', device: '1:259' });
  expect(entries[2]).not.toHaveProperty('sameFileAs');
  expect(entries[3]).toMatchObject({ sameFileAs: '/d/one', mtime: '1.000000000' });
  expect(entries.map((entry) => 'attributes' in entry)).toEqual([false, false, false, false]);
});

test('hashes are read as openssl tells them, too, whatever stands in a name; what is none is an error', async () => {
  const told = ['/d/holes', '/d/one'].map((path) => `${HASH} *${path}\n`).join('');
  const entries = await parseEntries(printed(ENTRIES, [`${HASH}  /d/two`, `\n${told}`], []));
  expect(entries.map(({ sha256 }) => sha256)).toEqual([HASH, undefined, HASH, HASH]);
  const none = await parseEntries(printed(ENTRIES, ['\n'], ['1:103  /d/null']));
  expect(none[1]).toMatchObject({ device: '1:259' });
  const escaped = printed(ENTRIES, [`\n\\${HASH} */d/a\\nb\n`], []);
  await expect(parseEntries(escaped)).rejects.toThrow(/openssl answered/);
});

test('attributes are read with their odd names; nothing is claimed where they could not be told', async () => {
  const dump = [
    '# file: /d/one',
    'user.note=0x6b657074',
    'user.empty',
    'security.selinux=0x00',
    '',
    String.raw`# file: /d/t\167o`,
    'system.posix_acl_access=0x02000000',
    '',
    '',
  ].join('\n');
  const told = await parseEntries(printed(ENTRIES, HASHES, [], [dump]));
  expect(told.map(({ attributes }) => attributes)).toEqual([
    {},
    {},
    { 'user.empty': '', 'user.note': '6b657074' },
    { 'system.posix_acl_access': '02000000' },
  ]);
  const none = await parseEntries(printed(ENTRIES, HASHES, [], ['']));
  expect(none.map(({ attributes }) => attributes)).toEqual([{}, {}, {}, {}]);
  const failed = await parseEntries(printed(ENTRIES, HASHES, [], [dump, 'failed']));
  expect(failed.map(({ attributes }) => attributes)).toEqual(Array(4).fill(undefined));
});
