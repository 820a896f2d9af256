import { describe, expect, it } from 'vitest';
import type { Retention } from '#contracts';
import { judge, type Candidate } from './retention.js';

const NOW = new Date('2026-03-31T12:00:00Z');
/** Named by their age in days, unless said. */
const backup = (days: number, more: Partial<Candidate> = {}): Candidate & { name: string } => ({
  name: String(days),
  instance: 'web@one',
  createdAt: new Date(NOW.getTime() - days * 24 * 3_600_000).toISOString(),
  state: 'whole',
  ...more,
});
const taken = (rules: Retention, ...newestFirst: ReturnType<typeof backup>[]): string[] =>
  judge(newestFirst, rules, NOW)
    .filter(({ keep }) => !keep)
    .map(({ candidate }) => candidate.name);
const kept = (rules: Retention, ...newestFirst: ReturnType<typeof backup>[]): string[] =>
  judge(newestFirst, rules, NOW)
    .filter(({ keep }) => keep)
    .map(({ candidate, because }) => `${candidate.name}: ${because}`);

describe('what retention takes', () => {
  it('by count: the oldest beyond so many, of each instance by itself', () => {
    const other = { instance: 'web@two' };
    const all = [backup(1), backup(1, other), backup(2), backup(3), backup(9, other)];
    expect(taken({ keepLast: 2 }, ...all)).toEqual(['3']);
  });

  it('by age: what is older, and what any other rule keeps stays', () => {
    const all = [backup(1), backup(29), backup(30), backup(90)];
    expect(taken({ keepDays: 30 }, ...all)).toEqual(['30', '90']);
    expect(taken({ keepDays: 30, keepLast: 3 }, ...all)).toEqual(['90']);
  });

  it('by release: of each of the last ones the newest, not all of its tries', () => {
    const all = [
      backup(1, { release: 'app-3' }),
      backup(2, { release: 'app-3' }),
      backup(3, { release: 'app-2' }),
      backup(4, { release: 'app-1' }),
    ];
    expect(taken({ keepReleases: 2 }, ...all)).toEqual(['2', '4']);
  });

  it('never the last good one, however old it is', () => {
    expect(taken({ keepDays: 1 }, backup(400))).toEqual([]);
    expect(kept({ keepDays: 1 }, backup(400))).toEqual(['400: it is the last good one of web@one']);
  });

  it('nor the last good one that is not fuzzy, beside a newer one that is', () => {
    const all = [backup(1, { fuzzy: true }), backup(2, { fuzzy: true }), backup(300), backup(400)];
    expect(taken({ keepDays: 1 }, ...all)).toEqual(['2', '400']);
    expect(kept({ keepDays: 1 }, ...all)[1]).toContain(
      '300: it is the last good one of web@one that',
    );
  });

  it('a corrupt or missing one is neither good nor counted: it pushes no good one out', () => {
    const all = [
      backup(1, { state: 'corrupt' }),
      backup(2, { state: 'missing' }),
      backup(3),
      backup(4),
      backup(5),
    ];
    expect(taken({ keepLast: 2 }, ...all)).toEqual(['1', '2', '5']);
  });

  it('where nothing is good, what is corrupt stays: something of it may be saved', () => {
    const all = [backup(1, { state: 'corrupt' }), backup(400, { state: 'corrupt' })];
    expect(taken({ keepLast: 1 }, ...all)).toEqual([]);
  });

  it('never what a rollback may need, whatever the rules say', () => {
    const held = backup(400, { heldBecause: 'upgrade u1 has not ended' });
    expect(taken({ keepLast: 1 }, backup(1), backup(300), held)).toEqual(['300']);
    const gone = backup(2, { state: 'missing', heldBecause: 'a restore has not ended' });
    expect(taken({ keepLast: 1 }, backup(1), gone)).toEqual([]);
  });
});
