import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SecretStore } from './secrets.js';

const folder = mkdtempSync(join(tmpdir(), 'liftlock-secrets-'));
writeFileSync(join(folder, 'LIFTLOCK_SECRET_FILE'), 'of the file\n');
writeFileSync(join(folder, 'LIFTLOCK_SECRET_EMPTY'), '\n');
mkdirSync(join(folder, 'LIFTLOCK_SECRET_FOLDER'));
afterAll(() => rmSync(folder, { recursive: true }));
const variables = { LIFTLOCK_SECRET_A: 'of the environment', LIFTLOCK_SECRET_FILE: 'old' };
const secrets = new SecretStore({ variables, folder });

test('a file goes before a variable, and is read anew', async () => {
  expect(await secrets.get('env:LIFTLOCK_SECRET_A')).toBe('of the environment');
  expect(await secrets.get('env:LIFTLOCK_SECRET_FILE')).toBe('of the file\n');
  writeFileSync(join(folder, 'LIFTLOCK_SECRET_FILE'), 'exchanged');
  expect(await secrets.get('env:LIFTLOCK_SECRET_FILE')).toBe('exchanged');
});

test.each([
  ['env:LIFTLOCK_SECRET_B', /does not know LIFTLOCK_SECRET_B: give it .* a file of that name in/],
  ['env:LIFTLOCK_SECRET_EMPTY', /does not know LIFTLOCK_SECRET_EMPTY/],
  ['env:LIFTLOCK_SECRET_FOLDER', /may not read .*LIFTLOCK_SECRET_FOLDER/],
  ['env:toString', /does not know env:toString/],
  ['env:../LIFTLOCK_SECRET_A', /does not know/],
])('%s is refused, by its name', async (reference, message) => {
  await expect(secrets.get(reference)).rejects.toMatchObject({
    code: 'misconfigured',
    message: expect.stringMatching(message) as string,
  });
});
