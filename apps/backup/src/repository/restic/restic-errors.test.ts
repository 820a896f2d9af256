import { expect, test } from 'vitest';
import { isLocked, isWrongPassword, resticError } from './restic-errors.js';

const WHAT = 'restic backup in /srv/test/decoder-certificate-service/restic';

test.each([
  ['Fatal: unable to save snapshot: write /r/data/aa: no space left on device', 'disk_full'],
  [
    'unable to create lock in backend: repository is already locked exclusively by PID 7 on h by root (UID 0, GID 0)',
    'unavailable',
  ],
  ['Fatal: unable to open config file: Stat: Access Denied.', 'misconfigured'],
  ['Get "http://127.0.0.1:9/": dial tcp 127.0.0.1:9: connect: connection refused', 'unavailable'],
  ['Get "https://s3/": x509: certificate signed by unknown authority', 'target_untrusted'],
  ['cannot dump file: decrypting blob 58 failed: ciphertext verification failed', 'data_corrupt'],
  ['Fatal: unable to open config file: stat /r/config: no such file or directory', 'data_corrupt'],
  ['panic: nobody thought of it in /srv/test/decoder-certificate-service', 'internal'],
  ['', 'internal'],
])('%s is told as %s', (said, code) => {
  const error = resticError(WHAT, 1, said);
  expect(error.code).toBe(code);
  // what restic said is never lost
  expect(error.message).toContain(said);
  expect(error.message).toContain(WHAT);
  expect(isLocked(error)).toBe(said.includes('already locked'));
});

test('a wrong password is known by its words', () => {
  const said = 'Fatal: wrong password or no key found';
  expect(isWrongPassword(resticError(WHAT, 1, said))).toBe(true);
  expect(isWrongPassword(resticError(WHAT, 1, 'Fatal: other'))).toBe(false);
  expect(isWrongPassword(new Error(said))).toBe(false);
});
