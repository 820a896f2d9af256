import { stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { readText } from '../src/documents/read-documents.js';
import { BREAKS } from './malformed-cases.js';
import { SOUND } from './sound-documents.js';

/** A copy of a document with one value put into one place, or taken away from it. */
function broken(document: unknown, tokens: readonly string[], value: unknown): unknown {
  const [token, ...rest] = tokens;
  if (token === undefined) return value;
  if (Array.isArray(document))
    return document.map((one, index) =>
      String(index) === token ? broken(one, rest, value) : (one as unknown),
    );
  const fields = { ...(document as Record<string, unknown>) };
  const changed = broken(fields[token], rest, value);
  if (changed === undefined) delete fields[token];
  else fields[token] = changed;
  return fields;
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'left out';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

/** What a person is told of a document with one thing wrong. */
function told(kind: string, pointer: string, value: unknown): string {
  const text = stringify(broken(SOUND[kind], pointer.split('/').slice(1), value));
  const { faults } = readText('documents.yaml', text);
  return faults.map(({ file, line, message }) => `  ${file}:${line ?? '?'}: ${message}\n`).join('');
}

describe('malformed documents', () => {
  it('what they are made from is sound', () => {
    for (const [kind, document] of Object.entries(SOUND))
      expect([kind, readText('f', stringify(document)).faults]).toEqual([kind, []]);
  });

  it(`each of more than 200 is told with file, line, path and what is wrong: reviewed in malformed.golden.txt`, async () => {
    expect(BREAKS.length).toBeGreaterThan(200);
    const lines = BREAKS.map(
      ([kind, pointer, value]) =>
        `${kind} ${pointer} = ${shown(value)}\n${told(kind, pointer, value)}`,
    );
    for (const line of lines) expect(line).toMatch(/\n {2}documents\.yaml:\d+: ./);
    await expect(lines.join('')).toMatchFileSnapshot('malformed.golden.txt');
  });
});
