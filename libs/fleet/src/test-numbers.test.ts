import { describe, expect, test } from 'vitest';
import { countTests, summaryLine } from './test-numbers.js';

const lines = (...entries: object[]): string =>
  entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');

describe('the numbers of a test run', () => {
  test('a file that broke before its first test counts as a failure', () => {
    const { numbers } = countTests(
      lines({ kind: 'test', state: 'passed' }, { kind: 'error' }, { kind: 'end' }),
    );
    expect(summaryLine(numbers)).toBe('1 passed, 1 failed');
  });

  test('skipped tests are named, and only then', () => {
    const { numbers } = countTests(lines({ kind: 'test', state: 'skipped' }, { kind: 'end' }));
    expect(summaryLine(numbers)).toBe('0 passed, 0 failed, 1 skipped');
  });

  test('a test without a result is no success', () => {
    expect(countTests(lines({ kind: 'test', state: 'pending' })).numbers.failed).toBe(1);
  });

  test('a run that was cut off is told from one that ended', () => {
    expect(countTests(lines({ kind: 'test', state: 'passed' })).ended).toBe(false);
    expect(countTests('').ended).toBe(false);
  });
});
