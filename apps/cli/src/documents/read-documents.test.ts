import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDocuments, readText } from './read-documents.js';

const environment = `apiVersion: liftlock.dev/v1
kind: Environment
metadata: { name: prod }
spec: { targets: [{ name: host, driver: docker, endpoint: 'unix:///var/run/docker.sock' }] }
`;
const release = `apiVersion: liftlock.dev/v1
kind: Release
metadata: { name: book-1.0 }
spec: { application: book, version: '1.0', components: { web: { image: 'book:1.0' } } }
`;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-documents-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

describe('documents of files and folders', () => {
  it('come in the order in which one needs the other, from all folders, and only from files of documents', async () => {
    write('a.yaml', `${release}---\n---\n${environment}`);
    write(
      'deep/er/b.json',
      JSON.stringify({
        apiVersion: 'liftlock.dev/v1',
        kind: 'Application',
        metadata: { name: 'book' },
        spec: { components: [{ name: 'web', targets: ['host'] }] },
      }),
    );
    write('README.md', 'no document');
    const { documents, faults } = await readDocuments([folder]);
    expect(faults).toEqual([]);
    expect(documents.map(({ value }) => value.kind)).toEqual([
      'Environment',
      'Application',
      'Release',
    ]);
    expect(documents[0]?.line).toBeGreaterThan(5);
  });

  it('every fault of every document is told at once, with its file and line', () => {
    const { documents, faults } = readText(
      'x.yaml',
      `${environment.replace('spec:', 'spce: 1\nspec:')}---\nkind: Envirnoment\n---\n- 1\n---\n${release}`,
    );
    expect(documents).toHaveLength(1);
    expect(faults).toEqual([
      { file: 'x.yaml', line: 4, message: '/spce: unknown field' },
      {
        file: 'x.yaml',
        line: 7,
        message: expect.stringContaining('no kind "Envirnoment"') as string,
      },
      { file: 'x.yaml', line: 9, message: expect.stringContaining('/kind: is missing') as string },
    ]);
  });

  it('text that is no YAML names its line', () => {
    expect(readText('x.yaml', 'a: 1\nb: [1,\nc: }\n').faults[0]?.line).toBeGreaterThan(1);
  });

  it('the same document twice is refused, and both places are named', async () => {
    const a = write('a.yaml', environment);
    const b = write('b.yaml', environment);
    const { faults } = await readDocuments([a, b]);
    expect(faults).toEqual([
      { file: b, line: 1, message: `Environment prod is given twice: also in ${a}:1` },
    ]);
  });

  it('nothing at all, and what is not there, are no success', async () => {
    await expect(readDocuments([folder])).rejects.toThrow('there is no document');
    await expect(readDocuments([join(folder, 'gone')])).rejects.toThrow(
      'there is no file or folder',
    );
  });
});
