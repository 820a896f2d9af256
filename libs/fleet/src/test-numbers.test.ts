import { describe, expect, test } from 'vitest';
import { countTests, summaryLine } from './test-numbers.js';

const lines = (...entries: object[]): string =>
  entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');

const passed = { kind: 'test', state: 'passed', name: 'adds' };

describe('the numbers of a test run', () => {
  test('a file that broke before its first test counts as a failure', () => {
    const { numbers, failures } = countTests(
      lines(passed, { kind: 'error', message: 'no such module' }, { kind: 'end' }),
    );
    expect(summaryLine(numbers)).toBe('1 passed, 1 failed');
    expect(failures).toEqual(['outside of the tests: no such module']);
  });

  test('what failed is told by its name, in one line', () => {
    const errors = ['expected 1\n  to be 2', 'and an error'.padEnd(2000, '!')];
    const { failures } = countTests(
      lines(passed, { ...passed, state: 'failed', name: 'sums', errors }),
    );
    expect(failures).toEqual([
      expect.stringMatching(/^sums: expected 1 to be 2; and an error!+…$/),
    ]);
    expect(failures[0]?.length).toBe('sums: '.length + 901);
  });

  test('skipped tests are named, and only then', () => {
    const { numbers } = countTests(lines({ ...passed, state: 'skipped' }, { kind: 'end' }));
    expect(summaryLine(numbers)).toBe('0 passed, 0 failed, 1 skipped');
  });

  test('a test without a result is no success', () => {
    const { numbers, failures } = countTests(lines({ ...passed, state: 'pending' }));
    expect(numbers.failed).toBe(1);
    expect(failures).toEqual(['adds: it did not end']);
  });

  test('a run that was cut off is told from one that ended', () => {
    expect(countTests(lines(passed)).ended).toBe(false);
    expect(countTests('').ended).toBe(false);
    const files = lines(
      { kind: 'file', name: 'small a.test.ts' },
      { kind: 'file', name: 'small b.test.ts' },
      { kind: 'file-end', name: 'small a.test.ts' },
    );
    expect(countTests(files).open).toEqual(['small b.test.ts']);
    expect(countTests(files + lines({ kind: 'end' })).open).toEqual([]);
  });
});
