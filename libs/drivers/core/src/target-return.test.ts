import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { LiftlockError } from '#kernel';
import { despiteRestarts } from './target-return.js';

const context = { signal: new AbortController().signal, log: () => undefined, token: 1 };
const gone = () => new LiftlockError('target_unreachable', 'the target is away');
const targetThat = (ping: () => void, wasReached = true) => ({
  wasReached,
  ping: async () => ping(),
});

it('a target is waited for however long it was worked with before it went away', async () => {
  const awayMs = 50;
  let tries = 0;
  const act = async (): Promise<string> => {
    tries += 1;
    if (tries > 1) return 'done';
    await delay(4 * awayMs);
    throw gone();
  };
  const target = targetThat(() => undefined);
  expect(await despiteRestarts(target, context, act, awayMs)).toBe('done');
});

it('a target that goes away again and again is waited for so long in all', async () => {
  let asked = 0;
  const target = targetThat(() => {
    asked += 1;
  });
  const away = despiteRestarts(target, context, () => Promise.reject(gone()), 600);
  await expect(away).rejects.toMatchObject({ code: 'target_unreachable' });
  // it is looked for twice a second
  expect(asked).toBeGreaterThanOrEqual(1);
  expect(asked).toBeLessThanOrEqual(2);
});

it('a target that this process never reached is an error at once, the first time; then it is waited for', async () => {
  let tries = 0;
  const act = async (): Promise<string> => {
    tries += 1;
    if (tries < 3) throw gone();
    return 'done';
  };
  const target = targetThat(() => undefined, false);
  await expect(despiteRestarts(target, context, act)).rejects.toMatchObject({
    code: 'target_unreachable',
  });
  expect(tries).toBe(1);
  expect(await despiteRestarts(target, { ...context, token: 2 }, act)).toBe('done');
});
