import { describe, expect, it } from 'vitest';
import { SharedLook } from './shared-look.js';

const { signal } = new AbortController();

function counted(): { looks: Array<PromiseWithResolvers<number>>; look: () => Promise<number> } {
  const looks: Array<PromiseWithResolvers<number>> = [];
  return {
    looks,
    look: () => {
      const one = Promise.withResolvers<number>();
      looks.push(one);
      return one.promise;
    },
  };
}

describe('a shared look', () => {
  it('is one for all that ask at the same time, and a new one for who asks later', async () => {
    const shared = new SharedLook<object, number>();
    const { looks, look } = counted();
    const thing = {};
    const asked = [1, 2, 3].map(() => shared.at(thing, signal, look));
    const other = shared.at({}, signal, look);
    expect(looks).toHaveLength(2);
    looks[0]?.resolve(5);
    looks[1]?.resolve(6);
    expect([...(await Promise.all(asked)), await other]).toEqual([5, 5, 5, 6]);
    const later = shared.at(thing, signal, look);
    looks[2]?.resolve(7);
    expect(await later).toBe(7);
  });

  it("that fails is its own asker's failure: one of the others looks, for the rest of them", async () => {
    const shared = new SharedLook<object, number>();
    const { looks, look } = counted();
    const thing = {};
    const first = shared.at(thing, signal, look);
    const others = [1, 2].map(() => shared.at(thing, signal, look));
    looks[0]?.reject(new Error('its step has ended'));
    await expect(first).rejects.toThrow('its step has ended');
    await expect.poll(() => looks.length).toBe(2);
    looks[1]?.resolve(8);
    expect(await Promise.all(others)).toEqual([8, 8]);
    expect(looks).toHaveLength(2);
  });

  it('is not waited for by who was aborted meanwhile', async () => {
    const shared = new SharedLook<object, number>();
    const { looks, look } = counted();
    const thing = {};
    const ended = new AbortController();
    const first = shared.at(thing, signal, look);
    const second = shared.at(thing, ended.signal, look);
    ended.abort(new Error('no longer'));
    looks[0]?.reject(new Error('the engine is away'));
    await expect(first).rejects.toThrow('the engine is away');
    await expect(second).rejects.toThrow('no longer');
    expect(looks).toHaveLength(1);
  });
});
