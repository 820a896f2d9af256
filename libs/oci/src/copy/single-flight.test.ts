import { expect, test } from 'vitest';
import { waitFor } from '#kernel';
import { SingleFlight } from './single-flight.js';

test('what two ask for is done once', async () => {
  const flights = new SingleFlight<number>();
  let done = 0;
  const work = async (): Promise<number> => {
    await Promise.resolve();
    return ++done;
  };
  expect(
    await Promise.all([flights.do('a', undefined, work), flights.do('a', undefined, work)]),
  ).toEqual([1, 1]);
  expect(await flights.do('a', undefined, work)).toBe(2);
});

test('one who is called back does not end it for the other; the last one does', async () => {
  const flights = new SingleFlight<string>();
  const controllers = [new AbortController(), new AbortController()];
  let ended = false;
  const work = (signal: AbortSignal): Promise<string> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        ended = true;
        reject(signal.reason as Error);
      });
    });
  const [a, b] = controllers.map(({ signal }) => flights.do('a', signal, work));
  controllers[0]?.abort(new Error('first'));
  await expect(a).rejects.toThrow('first');
  expect(ended).toBe(false);
  controllers[1]?.abort(new Error('second'));
  await expect(b).rejects.toThrow('second');
  await waitFor(() => ended, { what: 'the end of the work', deadlineMs: 60_000 });
});

test('a failure is told to all, and not kept', async () => {
  const flights = new SingleFlight<number>();
  const fail = (): Promise<number> => Promise.reject(new Error('no'));
  const both = await Promise.allSettled([
    flights.do('a', undefined, fail),
    flights.do('a', undefined, fail),
  ]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await flights.do('a', undefined, () => Promise.resolve(1))).toBe(1);
});
