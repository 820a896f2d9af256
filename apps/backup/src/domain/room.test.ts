import { expect, test } from 'vitest';
import type { DataEntry, DataSpace } from '#drivers/core';
import type { Manifest } from './manifest.js';
import { archiveEstimate, shortageOf } from './room.js';

const GIB = 1024 ** 3;
const spaceOf = (usedBytes: number, freeBytes: number): DataSpace => ({
  disks: [{ places: ['/data'], usedBytes, freeBytes }],
  entries: 0,
  keptAside: [],
});
const file = (path: string, size: number, more: Partial<DataEntry> = {}): DataEntry => ({
  ...{ path, type: 'file', mode: '0644', uid: 0, gid: 0, size, mtime: '1.0' },
  ...more,
});
const backup = (...entries: DataEntry[]): Manifest =>
  ({ spaceBytes: 1, entries }) as unknown as Manifest;

test('an archive is taken to be as large as its data, unless an earlier one says how well it packs', () => {
  const space = spaceOf(8 * GIB, 0);
  expect(archiveEstimate(space, 1).bytes).toBe(8 * GIB);
  expect(archiveEstimate(space, 0.5).bytes).toBe(4 * GIB);
  const packed = { engine: 'archive', archiveBytes: GIB, spaceBytes: 5 * GIB } as const;
  expect(archiveEstimate(space, 1, packed).bytes).toBe(2 * GIB);
  const loose = { ...packed, archiveBytes: 6 * GIB };
  expect(archiveEstimate(space, 1, loose).bytes).toBe(8 * GIB);
});

test('of what restic has a snapshot already, what was added and a quarter of the data may be new', () => {
  const kept = { engine: 'restic', archiveBytes: 5 * GIB, spaceBytes: 5 * GIB } as const;
  const estimate = (now: number): number => archiveEstimate(spaceOf(now * GIB, 0), 1, kept).bytes;
  expect(estimate(4)).toBe(GIB);
  expect(estimate(8)).toBe(5 * GIB);
  expect(estimate(40)).toBe(40 * GIB);
  // all of it passes, whatever is kept
  expect(archiveEstimate(spaceOf(8 * GIB, 0), 1, kept).passingBytes).toBe(8 * GIB);
});

test('a restore has the room of what it removes, and is short of what is beyond that', () => {
  const wanted = backup(file('/data/a', 3 * GIB));
  expect(shortageOf(wanted, spaceOf(2 * GIB, GIB))).toBeUndefined();
  expect(shortageOf(wanted, spaceOf(2 * GIB, GIB - 1))).toMatchObject({
    place: '/data',
    neededBytes: 3 * GIB,
    roomBytes: 3 * GIB - 1,
  });
});

test('one that keeps what it finds has only the room that is free', () => {
  const wanted = backup(file('/data/a', 3 * GIB));
  expect(shortageOf(wanted, spaceOf(2 * GIB, 3 * GIB), true)).toBeUndefined();
  expect(shortageOf(wanted, spaceOf(2 * GIB, 3 * GIB - 1), true)?.roomBytes).toBe(3 * GIB - 1);
});

test('holes and second names need no room: no restore is refused for them', () => {
  const wanted = backup(
    file('/data/holes', 500 * GIB, { allocated: 4_096 }),
    file('/data/one', GIB),
    file('/data/two', GIB, { sameFileAs: '/data/one' }),
  );
  expect(shortageOf(wanted, spaceOf(0, GIB + 4_096))).toBeUndefined();
});

test('each disk must have the room for what lies on it', () => {
  const space: DataSpace = {
    disks: [
      { places: ['/data'], usedBytes: 0, freeBytes: 10 * GIB },
      { places: ['/data/log'], usedBytes: 0, freeBytes: GIB },
    ],
    entries: 0,
    keptAside: [],
  };
  expect(shortageOf(backup(file('/data/logs', 2 * GIB)), space)).toBeUndefined();
  expect(shortageOf(backup(file('/data/log/x', 2 * GIB)), space)?.place).toBe('/data/log');
});

test('a backup that does not say what its holes take is never refused', () => {
  const wanted = { entries: [file('/data/a', 3 * GIB)] } as unknown as Manifest;
  expect(shortageOf(wanted, spaceOf(0, 0))).toBeUndefined();
});
