import { describe, expect, it } from 'vitest';
import { LiftlockError } from '#kernel';
import { TurnQueue } from './turn-queue.js';

interface Turn {
  readonly upgrade: string;
  readonly together: readonly number[];
  readonly end: PromiseWithResolvers<void>;
}

function scene() {
  const turns: Turn[] = [];
  const queue = new TurnQueue<number>((upgrade, together) => {
    const end = Promise.withResolvers<void>();
    turns.push({ upgrade, together, end });
    return end.promise;
  });
  const ended: string[] = [];
  const add = (upgrade: string, item: number): void =>
    void queue.add(upgrade, item).then(
      () => ended.push(`${item}`),
      (error: unknown) => ended.push(`${item}: ${String(error)}`),
    );
  const turn = async (index: number): Promise<Turn> => {
    await expect.poll(() => turns.length).toBeGreaterThan(index);
    const found = turns[index];
    if (found === undefined) throw new Error(`there is no turn ${index}`);
    return found;
  };
  return { turns, add, turn, ended };
}

describe('turns of an upgrade', () => {
  it('take together, in order, what came while one was under way, and nothing ends before its turn has', async () => {
    const { turns, add, turn, ended } = scene();
    for (const item of [1, 2]) add('a', item);
    expect((await turn(0)).together).toEqual([1, 2]);
    for (const item of [3, 4]) add('a', item);
    expect(ended).toEqual([]);
    turns[0]?.end.resolve();
    expect((await turn(1)).together).toEqual([3, 4]);
    expect(ended).toEqual(['1', '2']);
    turns[1]?.end.resolve();
    await expect.poll(() => ended).toEqual(['1', '2', '3', '4']);
    add('a', 5);
    expect((await turn(2)).together).toEqual([5]);
  });

  it('of different upgrades do not wait for one another', async () => {
    const { add, turn } = scene();
    add('a', 1);
    add('b', 2);
    expect([(await turn(0)).upgrade, (await turn(1)).upgrade]).toEqual(['a', 'b']);
  });

  it('that fail are tried one by one: a failure is that of its own message alone', async () => {
    const { turns, add, turn, ended } = scene();
    for (const item of [1, 2, 3]) add('a', item);
    (await turn(0)).end.reject(new Error('one of them'));
    expect((await turn(1)).together).toEqual([1]);
    turns[1]?.end.resolve();
    expect((await turn(2)).together).toEqual([2]);
    turns[2]?.end.reject(new Error('this one'));
    expect((await turn(3)).together).toEqual([3]);
    turns[3]?.end.resolve();
    await expect.poll(() => ended).toEqual(['1', '2: Error: this one', '3']);
  });

  it('that fail of what may pass fail as one: a database that is away is not asked for each', async () => {
    const { turns, add, turn, ended } = scene();
    for (const item of [1, 2]) add('a', item);
    const away = new LiftlockError('unavailable', 'PostgreSQL does not answer');
    (await turn(0)).end.reject(away);
    await expect.poll(() => ended).toEqual([`1: ${String(away)}`, `2: ${String(away)}`]);
    expect(turns).toHaveLength(1);
  });

  it('are bounded', async () => {
    const { add, turn } = scene();
    for (let item = 0; item < 100; item += 1) add('a', item);
    expect((await turn(0)).together).toHaveLength(64);
  });
});
