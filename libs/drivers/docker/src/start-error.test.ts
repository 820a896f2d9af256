import { expect, it } from 'vitest';
import { LiftlockError } from '#kernel';
import { startError } from './start-error.js';

const container = { Id: 'c0ffee', Name: '/web' };
const refused = (message: string): LiftlockError =>
  startError(new LiftlockError('target_refused', message), container);

it('names the process that is to end where a crash of the engine has left a start half done', () => {
  // Docker 20.10, killed some 80 ms after it was asked to start the container
  const { code, message, retryable } = refused(
    'starting the container web on host failed: task c0ffee: already exists',
  );
  expect({ code, retryable }).toEqual({ code: 'target_refused', retryable: false });
  expect(message).toMatch(/killed while it started web.*ontainerd-shim\.\*c0ffee.*try again/);
});

it('leaves other refusals as the engine says them', () => {
  expect(refused('the container web: no such image').message).toBe(
    'the container web: no such image',
  );
});
