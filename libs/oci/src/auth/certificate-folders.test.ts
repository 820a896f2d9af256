import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { certificatesIn } from './certificate-folders.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-certs-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function put(at: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, at), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, at, name), text);
}

test('the first folder that has one of the registry counts, with its port', () => {
  put('two/mirror.example:5000', { 'b.crt': 'B', 'a.crt': 'A', 'me.cert': 'ME', 'me.key': 'KEY' });
  put('three/mirror.example:5000', { 'c.crt': 'C' });
  const folders = ['one', 'two', 'three'].map((name) => join(folder, name));
  expect(certificatesIn(folders, 'mirror.example:5000')).toEqual({
    ca: 'A\nB',
    clientCertificate: { cert: 'ME', key: 'KEY' },
  });
  expect(certificatesIn(folders, 'mirror.example')).toEqual({});
});

test('a certificate without its key is named', () => {
  put('mirror.example', { 'me.cert': 'ME' });
  expect(() => certificatesIn([folder], 'mirror.example')).toThrow(/me\.cert has no me\.key/);
});
