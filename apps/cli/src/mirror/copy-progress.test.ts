import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { CopyResult, Descriptor } from '#oci';
import type { Output } from '../output.js';
import { CopyBoard } from './copy-progress.js';

const MIB = 1024 * 1024;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What somebody sees who sits there, or reads a log. */
function screen(isErrorTerminal: boolean): { output: Output; said: string[] } {
  const said: string[] = [];
  const write = (text: string): void => void said.push(stripVTControlCharacters(text));
  const output = {
    ...{ write, writeError: write, isTerminal: isErrorTerminal, isErrorTerminal },
    ...{ width: () => 120, ask: () => Promise.resolve(undefined) },
  };
  return { output, said };
}

function blob(digit: string, mib: number): Descriptor {
  const digest = `sha256:${digit.repeat(64)}` as const;
  return { digest, size: mib * MIB, mediaType: 'layer', urls: [], annotations: {} };
}

const result: CopyResult = {
  ...{ digest: `sha256:${'a'.repeat(64)}`, mediaType: 'manifest', found: 'copied', referrers: 0 },
  ...{ blobs: { there: 0, mounted: 0, uploaded: 1 }, bytes: 40 * MIB },
};

test('on a terminal: bytes, rate and time left of each image, and of all', () => {
  const { output, said } = screen(true);
  const board = new CopyBoard(output);
  board.expect(3);
  const [one, two] = [board.begin('mirror/one:1'), board.begin('mirror/two:1')];
  const [a, b] = [blob('a', 40), blob('b', 60)];
  one.found(a);
  two.found(b);
  for (let second = 0; second < 2; second += 1) {
    one.moved(a, 10 * MIB);
    two.moved(b, 5 * MIB);
    vi.advanceTimersByTime(1_000);
  }
  expect(said.at(-1)?.trimStart().split('\n').slice(0, 3)).toEqual([
    expect.stringMatching(
      /█{12}░{12} {2}20\.0 MiB of 40\.0 MiB {2}1\d\.\d MiB\/s {2}[12]\.\d s left {2}mirror\/one:1$/,
    ),
    expect.stringMatching(/10\.0 MiB of 60\.0 MiB {2}\d\.\d MiB\/s .* left {2}mirror\/two:1$/),
    expect.stringMatching(
      /^ {2}0 of 3 images .*30\.0 MiB of 100\.0 MiB {2}1\d\.\d MiB\/s {2}\d\.\d s left of what is under way$/,
    ),
  ]);
  one.finished(a);
  board.succeeded('mirror/one:1', result);
  expect(said.at(-1)).toContain('1 of 3 images');
  expect(said.at(-1)).toContain('50.0 MiB of 100.0 MiB');
  board.stop();
});

test('one image has no line for all; elsewhere than on a terminal a line tells from time to time', () => {
  const { output, said } = screen(false);
  const board = new CopyBoard(output);
  const one = board.begin('mirror/one:1');
  const a = blob('a', 40);
  one.found(a);
  for (let second = 0; second < 12; second += 1) {
    one.moved(a, MIB);
    vi.advanceTimersByTime(1_000);
  }
  board.succeeded('mirror/one:1', result);
  board.stop();
  expect(said).toHaveLength(3);
  expect(said[0]).toMatch(/^mirror\/one:1 {2}\d\.0 of 40\.0 MiB, \d\.\d MiB\/s, \d+ s left\n$/);
  expect(said[2]).toContain(`mirror/one:1  ${result.digest}`);
});
