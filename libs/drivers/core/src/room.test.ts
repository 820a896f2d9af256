import { expect, test } from 'vitest';
import { NoRoom, Room, type LookUpChains, type RoomLayer, type Wanted } from './room.js';

const signal = new AbortController().signal;
const nothing: LookUpChains = () => Promise.resolve([]);

function wanted(free: number, ...layers: readonly (readonly [string, number])[]): Wanted {
  const image: RoomLayer[] = layers.map(([diffId, bytes]) => ({ diffId, bytes }));
  return { images: [image], passing: 0, free };
}

test('two of one upgrade that fit alone, and not together: neither begins', async () => {
  const room = new Room();
  const [a, b] = [room.enter('one'), room.enter('one')];
  const first = a.settle(wanted(100, ['a', 60]), nothing, signal);
  const ends = Promise.allSettled([first, b.settle(wanted(100, ['b', 60]), nothing, signal)]);
  for (const end of await ends) {
    expect(end.status).toBe('rejected');
    const { found } = (end as PromiseRejectedResult).reason as NoRoom;
    expect(found).toEqual({ free: 100, needed: 120, others: 0, together: 2 });
  }
});

test('a layer that both bring counts once', async () => {
  const room = new Room();
  const [a, b] = [room.enter('one'), room.enter('one')];
  const ends = await Promise.all([
    a.settle(wanted(100, ['base', 50], ['a', 20]), nothing, signal),
    b.settle(wanted(100, ['base', 50], ['b', 20]), nothing, signal),
  ]);
  expect(ends.map(({ needed }) => needed)).toEqual([90, 90]);
});

test('of two upgrades the first one gets the room; what it has written counts no more', async () => {
  const room = new Room();
  const [a, b] = [room.enter('one'), room.enter('two')];
  const ends = await Promise.allSettled([
    a.settle(wanted(100, ['a', 60]), nothing, signal),
    b.settle(wanted(100, ['b', 60]), nothing, signal),
  ]);
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(((ends[1] as PromiseRejectedResult).reason as NoRoom).found).toEqual({
    ...{ free: 100, needed: 120, others: 60, together: 1 },
  });
  b.leave();
  a.written = 50;
  const c = room.enter('two');
  const found = await c.settle(wanted(70, ['b', 60]), nothing, signal);
  expect(found).toEqual({ free: 70, needed: 70, others: 10, together: 1 });
  c.leave();
  a.leave();
  const d = room.enter('three');
  expect(await d.settle(wanted(60, ['b', 60]), nothing, signal)).toMatchObject({ needed: 60 });
});

test('what the engine has already is looked for only where there would be no room, and counts for nobody', async () => {
  const room = new Room();
  let looks = 0;
  const there: LookUpChains = () => {
    looks += 1;
    return Promise.resolve([['other'], ['base', 'more', 'top']]);
  };
  const a = room.enter('one');
  await a.settle(wanted(100, ['base', 40], ['a', 10]), there, signal);
  expect(looks).toBe(0);
  const b = room.enter('two');
  const found = await b.settle(wanted(100, ['base', 40], ['more', 70], ['b', 20]), there, signal);
  expect(looks).toBe(1);
  expect(found).toMatchObject({ needed: 30, others: 10 });
});

test('who cannot say how much it is keeps nobody waiting once it has left; who is called back, neither', async () => {
  const room = new Room();
  const [a, b, c] = [room.enter('one'), room.enter('one'), room.enter('one')];
  const waits = a.settle(wanted(100, ['a', 60]), nothing, signal);
  waits.catch(() => undefined);
  b.leave();
  const stop = new AbortController();
  const stopped = c.settle(wanted(100, ['c', 60]), nothing, stop.signal);
  stop.abort(new Error('called back'));
  await expect(stopped).rejects.toThrow('called back');
  c.leave();
  // both had looked by then, so that they were looked at together
  await expect(waits).rejects.toBeInstanceOf(NoRoom);
  const again = room.enter('one');
  a.leave();
  await expect(again.settle(wanted(100, ['a', 60]), nothing, signal)).resolves.toBeDefined();
});

test('where it cannot be found out what is there, that is told, and the next one is answered', async () => {
  const room = new Room();
  const away: LookUpChains = () => Promise.reject(new Error('away'));
  const a = room.enter('one');
  await expect(a.settle(wanted(1, ['a', 60]), away, signal)).rejects.toThrow('away');
  a.leave();
  const b = room.enter('one');
  await expect(b.settle(wanted(1, ['a', 60]), nothing, signal)).rejects.toBeInstanceOf(NoRoom);
});
