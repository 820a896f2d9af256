import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { ListThenWords } from './error-text.js';

const BYTES = Buffer.from('a\0b\0\0hash  b\0\0tar: b: file changed as we read it');
const LIST = 'a\0b\0\0hash  b\0';
const WORDS = 'tar: b: file changed as we read it';

test('the words after a list are no part of it, wherever the engine cuts the stream', async () => {
  for (let first = 0; first <= BYTES.length; first += 1) {
    for (const second of [first, Math.min(first + 1, BYTES.length)]) {
      const parts = new ListThenWords();
      for (const piece of [
        BYTES.subarray(0, first),
        BYTES.subarray(first, second),
        BYTES.subarray(second),
      ])
        parts.add(piece);
      parts.list.end();
      expect(await text(parts.list)).toBe(LIST);
      expect(parts.toString()).toBe(WORDS);
    }
  }
});

test('a list without a word after it ends with its own last zero byte', async () => {
  const parts = new ListThenWords();
  parts.add(Buffer.from('a\0\0'));
  parts.list.end();
  expect(await text(parts.list)).toBe('a\0');
  expect(parts.toString()).toBe('');
});

test('what a helper says that could not even begin a list is all words', () => {
  const parts = new ListThenWords();
  parts.add(Buffer.from('exec: no such file'));
  expect(parts.toString()).toBe('exec: no such file');
});
