import { expect, it } from 'vitest';
import { inTexts, storable } from './texts.js';

it('changes each text of a value, and nothing else', () => {
  const value = { a: ['x', 1, null, { b: 'y' }], c: true, x: 'x' };
  expect(inTexts(value, (text) => `${text}!`)).toEqual({
    a: ['x!', 1, null, { b: 'y!' }],
    c: true,
    x: 'x!',
  });
});

it('takes out of a text what PostgreSQL cannot hold', () => {
  expect(storable('a\0b \u{1F600}'.slice(0, -1))).toBe('a\uFFFDb \uFFFD');
  expect(storable('plain \u{1F600}')).toBe('plain \u{1F600}');
});
