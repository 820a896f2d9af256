import { describe, expect, test } from 'vitest';
import type { EditWork } from '#contracts';
import { editText } from './edit-text.js';

type Replace = EditWork['replace'];
const told = (text: string, replace: Replace): string => {
  const edited = editText(Buffer.from(text), replace);
  switch (edited.is) {
    case 'open':
      return edited.content.toString();
    case 'made':
      return 'made';
    default:
      return edited.why;
  }
};
const back = (replace: Replace): Replace =>
  replace.map(({ line, with: other }) => ({ line: other, with: line }));

describe('an edit of a text', () => {
  const cases: Array<[what: string, text: string, replace: Replace, wanted: string]> = [
    ['a line', 'a\nb\nc\n', [{ line: 'b', with: 'x' }], 'a\nx\nc\n'],
    ['a line more', 'a\nb\n', [{ line: 'a', with: ['a', 'x'] }], 'a\nx\nb\n'],
    ['a line less', 'a\nx\nb\n', [{ line: ['a', 'x'], with: 'a' }], 'a\nb\n'],
    ['a line at the end', 'a\r\nb', [{ line: 'b', with: ['b', '', 'x'] }], 'a\r\nb\r\n\r\nx'],
    [
      'the line below another',
      'x\n[b]\nx\n',
      [{ line: ['[b]', 'x'], with: ['[b]', 'y'] }],
      'x\n[b]\ny\n',
    ],
    [
      'several',
      'a\nb\nc\n',
      [
        { line: 'c', with: 'z' },
        { line: 'a', with: ['x', 'y'] },
      ],
      'x\ny\nb\nz\n',
    ],
    ['no part of a line', 'ab\nb\n', [{ line: 'b', with: 'x' }], 'ab\nx\n'],
  ];
  test.each(cases)(
    'replaces %s, once, and puts it back to the byte',
    (_what, text, replace, wanted) => {
      expect(told(text, replace)).toBe(wanted);
      expect(told(wanted, replace)).toBe('made');
      expect(told(wanted, back(replace))).toBe(text);
      expect(told(text, back(replace))).toBe('made');
    },
  );

  test.each([
    [
      'that touch one another',
      'a\nb\nc\n',
      [
        { line: ['a', 'b'], with: 'x' },
        { line: ['b', 'c'], with: 'y' },
      ],
      'touch one another',
    ],
    [
      'of which one makes what another replaces',
      'a\nc\n',
      [
        { line: 'a', with: 'b' },
        { line: 'c', with: 'b' },
      ],
      'touch one another',
    ],
    [
      'of lines that end differently',
      'a\r\nb\n',
      [{ line: ['a', 'b'], with: 'x' }],
      'end differently',
    ],
    [
      'of which a part is made',
      'a\ny\n',
      [
        { line: 'a', with: 'x' },
        { line: 'b', with: 'y' },
      ],
      '1 of its 2 edits are made',
    ],
    [
      'of an empty file',
      '',
      [{ line: 'a', with: 'x' }],
      '"a" is there not at all, and "x" not at all',
    ],
  ] as Array<[string, string, Replace, string]>)(
    'refuses edits %s',
    (_what, text, replace, why) => {
      expect(told(text, replace)).toContain(why);
    },
  );

  test('has nothing to do where the versions make both sides the same', () => {
    expect(told('a\n', [{ line: 'a', with: 'a' }])).toBe('made');
  });
});
