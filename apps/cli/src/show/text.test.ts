import { describe, expect, it } from 'vitest';
import { age, bytes, clip, duration, printable, table } from './text.js';

describe('text for people', () => {
  it.each([
    [0, '0 ms'],
    [-5, '0 ms'],
    [999, '999 ms'],
    [1_000, '1.0 s'],
    [59_940, '59.9 s'],
    [59_999, '1 m 00 s'],
    [125_000, '2 m 05 s'],
    [3_599_600, '1 h 00 m'],
    [3_725_000, '1 h 02 m'],
  ])('%i ms is %s', (ms, said) => {
    expect(duration(ms)).toBe(said);
  });

  it.each([
    [1, '1 s'],
    [119, '119 s'],
    [121, '2 m'],
    [7_300, '2 h'],
    [172_900, '2 d'],
  ])('%i seconds ago is %s', (seconds, said) => {
    const now = new Date('2030-01-31T00:00:00Z');
    expect(age(new Date(now.getTime() - seconds * 1_000).toISOString(), now)).toBe(said);
  });

  it('a clock that is behind the fleet gives no negative age', () => {
    expect(age('2030-01-31T00:00:05Z', new Date('2030-01-31T00:00:00Z'))).toBe('0 s');
  });

  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_024, '1.0 KiB'],
    [64 * 1024 * 1024, '64.0 MiB'],
    [5_000 * 1024 ** 4, '5000.0 TiB'],
  ])('%i bytes are %s', (count, said) => {
    expect(bytes(count)).toBe(said);
  });

  it('columns are as wide as their widest cell, and no line ends in blanks', () => {
    expect(
      table([
        ['NAME', 'AGE'],
        ['a', '1 s'],
        ['longer', ''],
      ]),
    ).toBe('NAME    AGE\na       1 s\nlonger\n');
    expect(table([])).toBe('');
  });

  it('a container cannot move the cursor, change colours, title or direction through what it says', () => {
    expect(printable('a\u001b[2Jb\u0007c\rd\u009b1me\u202ef')).toBe('a�[2Jb�c�d�1me�f');
    expect(printable('täglich\t✓')).toBe('täglich\t✓');
  });

  it('what is left out is shown', () => {
    expect(clip('abcdef', 6)).toBe('abcdef');
    expect(clip('abcdef', 4)).toBe('abc…');
  });
});
