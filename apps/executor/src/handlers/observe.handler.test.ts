import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DriverRegistry, type Driver, type InstanceDriver } from '#drivers/core';
import { ObserveHandler } from './observe.handler.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a target that is silent is given up by name, before the asker is', async () => {
  const observe: InstanceDriver['observe'] = (_query, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  const instances = { observe } as InstanceDriver;
  const driver = { name: 'docker', instances } as Driver;
  const handler = new ObserveHandler(new DriverRegistry({ docker: async () => driver }));
  const target = { name: 'host-a', driver: 'docker', endpoint: 'unix:///x', site: 'main' } as const;
  const answer = handler
    .handle({ target, containers: [], images: [] })
    .catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(28_000);
  expect(await answer).toMatchObject({
    ...{ code: 'timeout', retryable: true },
    message: 'host-a has not answered within 28 s: see how busy its host is',
  });
});
