import { describe, expect, it } from 'vitest';
import { lineDiff } from './line-diff.js';

const letters = 'abcdefghijkl'.split('');

describe('the difference of two documents', () => {
  it('shows what goes, what comes, and three lines around', () => {
    const changed = letters.map((letter) => (letter === 'f' ? 'F' : letter));
    expect(lineDiff(`${letters.join('\n')}\n`, `${changed.join('\n')}\n`, 'old', 'new')).toBe(
      '--- old\n+++ new\n c\n d\n e\n-f\n+F\n g\n h\n i\n@@\n',
    );
  });

  it('of one that is not stored yet is all of it', () => {
    expect(lineDiff('', 'a: 1\n', 'old', 'new')).toBe('--- old\n+++ new\n+a: 1\n');
  });

  it('is nothing where both say the same', () => {
    expect(lineDiff('a: 1\n', 'a: 1\n', 'old', 'new')).toBe('');
  });
});
