import { expect, test } from 'vitest';
import { LiftlockError } from '#kernel';
import { asFileError } from './file-errors.js';

const failed = (...stderr: readonly string[]): LiftlockError =>
  new LiftlockError('target_refused', 'reading the data failed', { details: { stderr } });

test.each([
  ['zstd: error 70 : Write error : cannot write block : No space left on device ', 'disk_full'],
  ['zstd: /*stdout*\\: No space left on device ', 'disk_full'],
  ['/usr/bin/cat: write error: Disk quota exceeded', 'disk_full'],
  ['zstd: error 70 : Write error : cannot write block : Input/output error', 'data_corrupt'],
  ['cat: write error: Stale file handle', 'unavailable'],
])('what writes to a file says of it "%s": %s', (line, code) => {
  const error = asFileError(
    failed('tar: -: Wrote only 4096 of 10240 bytes', line),
    '/repository/x',
  );
  expect(error).toMatchObject({ code });
  expect(error.message).toContain('/repository/x');
  expect(error.cause).toMatchObject({ message: 'reading the data failed' });
});

test('what is said of the data is none of the file', () => {
  for (const error of [
    failed('tar: /data/x: Cannot open: Permission denied'),
    failed('tar: /data/x: Read error at byte 0: Input/output error'),
    failed('zstd: error 11 : Allocation error : not enough memory'),
    new LiftlockError('data_changed', 'a file shrank'),
  ])
    expect(asFileError(error, '/repository/x')).toBe(error);
});
