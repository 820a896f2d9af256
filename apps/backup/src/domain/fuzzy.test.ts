import { describe, expect, it } from 'vitest';
import type { DataEntry } from '#drivers/core';
import { readWhileRunning } from './fuzzy.js';

const entry = (path: string, changed: string, more: Partial<DataEntry> = {}): DataEntry => ({
  ...{ path, type: 'file', mode: '0644', uid: 0, gid: 0, size: 3 },
  ...{ mtime: '1.000000000', changed, ...more },
});
const archived = (path: string, more: Partial<DataEntry> = {}): DataEntry => {
  const { changed: _changed, ...rest } = entry(path, '', { sha256: 'aa', ...more });
  return rest;
};

describe('what was read while it was written to', () => {
  it('is sharp where nothing was touched, with all that the lists know of it', () => {
    const listed = [entry('/a', '5.0', { allocated: 0, attributes: { 'user.x': '00' } })];
    expect(readWhileRunning(listed, [archived('/a')], listed)).toEqual({
      entries: [{ ...listed[0], sha256: 'aa' }],
      fuzzy: undefined,
    });
  });

  it('names what was touched, what came and what went, and has what the archive has', () => {
    const before = [entry('/a', '5.0'), entry('/b', '5.0'), entry('/went', '5.0')];
    const after = [entry('/a', '6.0'), entry('/b', '5.0'), entry('/came', '6.0')];
    const read = readWhileRunning(before, [archived('/a'), archived('/b')], after);
    expect(read.entries[0]).toEqual(archived('/a'));
    expect(read.entries).toHaveLength(2);
    expect(read.fuzzy).toEqual({ entries: 3, some: ['/a', '/came', '/went'] });
  });

  it('trusts no list that cannot tell, nor one that the archive belies', () => {
    const unknown = [entry('/a', '', { changed: undefined })];
    expect(readWhileRunning(unknown, [archived('/a')], unknown).fuzzy?.some).toEqual(['/a']);
    const listed = [entry('/a', '5.0')];
    const longer = [archived('/a', { size: 4 })];
    expect(readWhileRunning(listed, longer, listed).fuzzy?.some).toEqual(['/a']);
  });

  it('names some of many', () => {
    const many = Array.from({ length: 100 }, (_, i) => archived(`/${i}`));
    const { fuzzy } = readWhileRunning([], many, []);
    expect(fuzzy).toMatchObject({ entries: 100 });
    expect(fuzzy?.some).toHaveLength(20);
  });
});
