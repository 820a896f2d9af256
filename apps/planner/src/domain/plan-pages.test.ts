import { describe, expect, it } from 'vitest';
import { PageCutter } from './plan-pages.js';

function cut(pieces: readonly string[], size: number) {
  const cutter = new PageCutter(size);
  for (const piece of pieces) cutter.add(piece);
  const { characters } = cutter;
  return { characters, pages: cutter.end() };
}

describe('the pages of a plan', () => {
  it('are the text, in order, whatever pieces it came in', () => {
    const text = 'abcdefghijklmnopqrstuvwxyz';
    for (const pieces of [[text], text.split(''), ['', 'abcdefghij', text.slice(10)]]) {
      for (const size of [1, 5, 13, 26, 100]) {
        const { characters, pages } = cut(pieces, size);
        expect(characters).toBe(26);
        expect(pages.map((page) => page.text).join('')).toBe(text);
        expect(pages).toHaveLength(Math.ceil(26 / size));
        for (const { startsAt, text: own } of pages)
          expect(text.startsWith(own, startsAt)).toBe(true);
      }
    }
  });

  it('never cut a character in two: no database stores the half of one', () => {
    const text = 'a😀😀😀b😀';
    for (const size of [1, 2, 3, 4]) {
      const { pages } = cut([text], size);
      expect(pages.map((page) => page.text).join('')).toBe(text);
      expect(pages.every((page) => page.text.isWellFormed())).toBe(true);
      expect(pages.length).toBeLessThanOrEqual(Math.ceil(text.length / size));
    }
  });
});
