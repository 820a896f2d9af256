import type { DataEngine } from '#contracts';
import type { DataDisk, DataEntry, DataSpace } from '#drivers/core';
import type { Manifest } from './manifest.js';

/** Bytes that an archive has for each entry besides its content: headers of its own and of its extensions, before they are compressed. */
const BYTES_AN_ENTRY = 1_536;
/** How much worse than the one before it an archive may be packed. */
const MARGIN = 1.25;
/** Part of the data that may have changed since restic kept it last. */
const CHANGED = 0.25;
/** Bytes in a block of most file systems. */
const BLOCK = 4_096;

/** An earlier backup of the same instance. */
export interface Forerunner {
  readonly engine: DataEngine;
  readonly archiveBytes: number;
  readonly spaceBytes: number;
}

/**
 * Bytes that an archive of so much data may take in the repository, and that may pass while it is written: restic takes all of it and keeps what is new.
 * @param ratio of archive to data, where there is no earlier backup to tell from
 */
export function archiveEstimate(
  space: DataSpace,
  ratio: number,
  forerunner?: Forerunner,
): { readonly bytes: number; readonly dataBytes: number; readonly passingBytes: number } {
  const dataBytes = space.disks.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  const most = dataBytes + space.entries * BYTES_AN_ENTRY;
  if (forerunner?.engine === 'restic') {
    const grown = Math.max(0, dataBytes - forerunner.spaceBytes);
    return {
      bytes: Math.ceil(Math.min(most, grown + most * CHANGED)),
      dataBytes,
      passingBytes: most,
    };
  }
  const seen =
    forerunner === undefined || forerunner.spaceBytes === 0
      ? ratio
      : Math.min((forerunner.archiveBytes / forerunner.spaceBytes) * MARGIN, 1);
  const bytes = Math.ceil(most * seen);
  return { bytes, dataBytes, passingBytes: bytes };
}

export interface Shortage {
  readonly place: string;
  readonly neededBytes: number;
  /** Free now, and freed by what is there and will be removed, if it will. */
  readonly roomBytes: number;
}

/**
 * Where what a backup holds surely finds no room.
 * @param keeps whether what is there now stays meanwhile; else it is removed before
 * @returns nothing also for a backup of version 1, which does not say what its files with holes take
 */
export function shortageOf(
  manifest: Manifest,
  space: DataSpace,
  keeps = false,
): Shortage | undefined {
  if (manifest.spaceBytes === undefined) return undefined;
  const needed = new Map<DataDisk, number>();
  for (const entry of manifest.entries) {
    const disk = diskOf(entry.path, space.disks);
    if (disk !== undefined) needed.set(disk, (needed.get(disk) ?? 0) + bytesOf(entry));
  }
  for (const [disk, neededBytes] of needed) {
    const roomBytes = disk.freeBytes + (keeps ? 0 : disk.usedBytes);
    if (neededBytes > roomBytes) return { place: disk.places[0] ?? '', neededBytes, roomBytes };
  }
  return undefined;
}

/** At least: files below a block may lie in their inode, and folders differ from one file system to another. */
function bytesOf({ type, size, allocated, sameFileAs }: DataEntry): number {
  if (type !== 'file' || sameFileAs !== undefined) return 0;
  const bytes = Math.min(size, allocated ?? size);
  return bytes < BLOCK ? bytes : Math.ceil(bytes / BLOCK) * BLOCK;
}

/** Where data has no room beside itself: a restore could not keep what it finds. */
export function tightDisk({ disks }: DataSpace): DataDisk | undefined {
  return disks.find(({ usedBytes, freeBytes }) => usedBytes > freeBytes);
}

function diskOf(path: string, disks: readonly DataDisk[]): DataDisk | undefined {
  let best: { disk: DataDisk; length: number } | undefined;
  for (const disk of disks) {
    for (const place of disk.places) {
      const isAt = place === '/' || path === place || path.startsWith(`${place}/`);
      if (isAt && (best === undefined || place.length > best.length))
        best = { disk, length: place.length };
    }
  }
  return best?.disk;
}
