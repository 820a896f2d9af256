import type { Readable } from 'node:stream';
import type { DataDisk, DataSpace } from '#drivers/core';
import { belowRoot, type DataPlaces } from './data-places.js';
import { ZeroEnded } from './zero-ended.js';

const PLACE_FIELDS = 4;
const ENTRY_FIELDS = 4;
/** Bytes in a block of find's `%b`. */
const BLOCK = 512;

/** Reads the output of `spaceScript`. */
export function parseSpace(
  output: Readable,
  places: Pick<DataPlaces, 'root'> = {},
): Promise<DataSpace> {
  return spaceIn(new ZeroEnded(output), places);
}

/** Reads fields up to an empty one behind the last part, or to their end. */
export async function spaceIn(
  fields: ZeroEnded,
  data: Pick<DataPlaces, 'root'> = {},
): Promise<DataSpace> {
  const named = belowRoot(data);
  const disks = new Map<string, { places: string[]; usedBytes: number; freeBytes: number }>();
  const counted = new Set<string>();
  let entries = 0;
  const keptAside = new Set<string>();
  let part: 'places' | 'entries' | 'kept aside' = 'places';
  let record: string[] = [];
  await fields.each((field) => {
    if (part === 'kept aside') {
      if (field.length === 0) return 'enough';
      keptAside.add(field.toString('utf8'));
      return undefined;
    }
    if (record.length === 0 && field.length === 0) {
      part = part === 'places' ? 'entries' : 'kept aside';
      return undefined;
    }
    const isPlace = part === 'places';
    // numbers, but for the places' paths
    record.push(field.toString('utf8'));
    if (record.length < (isPlace ? PLACE_FIELDS : ENTRY_FIELDS)) return undefined;
    const [device = '', ...rest] = record;
    record = [];
    if (isPlace) {
      const [free = '', size = '', at = ''] = rest;
      const path = named(Buffer.from(at)).toString('utf8');
      const known = disks.get(device);
      if (known !== undefined) known.places.push(path);
      else
        disks.set(device, {
          places: [path],
          usedBytes: 0,
          freeBytes: Number(free) * Number(size),
        });
      return undefined;
    }
    const [blocks = '', names = '', inode = ''] = rest;
    entries += 1;
    if (Number(names) > 1) {
      const identity = `${device}:${inode}`;
      if (counted.has(identity)) return undefined;
      counted.add(identity);
    }
    const disk = disks.get(device);
    if (disk !== undefined) disk.usedBytes += Number(blocks) * BLOCK;
    return undefined;
  });
  return { disks: [...disks.values()] satisfies DataDisk[], entries, keptAside: [...keptAside] };
}
