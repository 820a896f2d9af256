import { expect, it } from 'vitest';
import { untilAborted } from './until-aborted.js';

const never = new Promise<never>(() => undefined);

it('is what the work comes to, and leaves nothing at the signal', async () => {
  const { signal } = new AbortController();
  expect(await untilAborted(Promise.resolve(1), signal)).toBe(1);
  await expect(untilAborted(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed');
  expect(await untilAborted(Promise.resolve(2), undefined)).toBe(2);
});

it('is waited for until the signal is aborted, and not at all where it is', async () => {
  const ended = new AbortController();
  const waiting = untilAborted(never, ended.signal);
  ended.abort(new Error('called off'));
  await expect(waiting).rejects.toThrow('called off');
  await expect(untilAborted(never, ended.signal)).rejects.toThrow('called off');
});
