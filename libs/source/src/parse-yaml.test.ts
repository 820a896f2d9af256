import { describe, expect, it } from 'vitest';
import { environmentDocument } from '#contracts';
import { LiftlockError } from '#kernel';
import { issuesOf } from './issues.js';
import { parseJson } from './parse-json.js';
import { parseYaml } from './parse-yaml.js';

function errorOf(run: () => unknown): LiftlockError {
  try {
    run();
  } catch (error) {
    if (error instanceof LiftlockError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const withTypo = `# comment
apiVersion: liftlock.dev/v1
kind: Environment
metadata:
  name: home
spec:
  targets:
    - name: host-a
      driver: docker
      endpiont: unix:///var/run/docker.sock
`;

const laughs = [
  'a: &a [x,x,x,x,x,x,x,x,x]',
  ...'bcdefghi'
    .split('')
    .map((c, i) => `${c}: &${c} [${Array<string>(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
].join('\n');

describe('documents with their lines', () => {
  it('names the line of an unknown field and of a missing one', () => {
    const [source] = parseYaml(withTypo);
    const result = environmentDocument.safeParse(source?.value);
    expect(result.error && issuesOf(result.error, source)).toEqual([
      {
        pointer: '/spec/targets/0/endpoint',
        message: expect.stringContaining('expected string') as string,
        line: 8,
      },
      { pointer: '/spec/targets/0/endpiont', message: 'unknown field', line: 10 },
    ]);
  });

  it('reads several documents and leaves empty ones out', () => {
    expect(parseYaml('a: 1\n---\n---\nb: 2\n').map(({ value }) => value)).toEqual([
      { a: 1 },
      { b: 2 },
    ]);
  });

  it('names the line of text that is no YAML', () => {
    expect(errorOf(() => parseYaml('a: 1\nb: [1,\nc: }\n')).issues?.[0]?.line).toBeGreaterThan(1);
  });

  it('a field given twice is refused, not silently the last', () => {
    expect(errorOf(() => parseYaml('a: 1\na: 2\n')).issues?.[0]?.line).toBe(2);
  });
});

describe('input that would harm', () => {
  it.each([
    ['deep JSON', () => parseJson('['.repeat(200_000) + ']'.repeat(200_000))],
    ['deep flow YAML', () => parseYaml('['.repeat(200_000) + ']'.repeat(200_000))],
    ['65 levels', () => parseJson('['.repeat(65) + ']'.repeat(65))],
    ['65 levels of YAML', () => parseYaml('['.repeat(65) + ']'.repeat(65))],
    ['deep block YAML', () => parseYaml(`${'- '.repeat(100_000)}a`)],
    ['a thousand million laughs', () => parseYaml(laughs)],
    ['a NUL that PostgreSQL cannot hold', () => parseJson(String.raw`{"a":"\u0000"}`)],
    ['a prototype', () => parseJson('{"__proto__":{"admin":true}}')],
    ['half of a text', () => parseJson('{"a":')],
  ])('%s is refused', (_name, run) => {
    expect(errorOf(run).code).toBe('invalid_request');
  });

  it('64 levels pass', () => {
    expect(() => parseJson('['.repeat(64) + ']'.repeat(64))).not.toThrow();
    expect(() => parseYaml('['.repeat(64) + ']'.repeat(64))).not.toThrow();
  });
});
