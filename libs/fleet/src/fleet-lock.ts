import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isAlive, processIdentity, type ProcessIdentity } from './process-identity.js';

export interface FleetLock {
  release(): void;
}

export function lockFile(folder: string): string {
  return join(folder, 'changing.lock');
}

/** Who changes the fleet just now; `undefined` when nobody does, or who did is gone. */
export function lockHolder(folder: string): ProcessIdentity | undefined {
  const holder = readHolder(lockFile(folder));
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

/**
 * Takes the right to change the fleet; `undefined` when another process has it. A holder that died loses it: its
 * identity is in the file, so that a later process with its pid is not taken for it.
 */
export function takeLock(folder: string): FleetLock | undefined {
  mkdirSync(folder, { recursive: true });
  const file = lockFile(folder);
  const me = identify(process.pid);
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(me));
  try {
    for (let tries = 0; tries < 5; tries += 1) {
      if (linked(mine, file)) return { release: () => rmSync(file, { force: true }) };
      if (lockHolder(folder) !== undefined) return undefined;
      moveStaleAway(file, `${mine}.stale`);
    }
    return undefined;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Two may find the lock stale at once: the slower one must not take away what the faster one has put there since. */
function moveStaleAway(file: string, aside: string): void {
  try {
    renameSync(file, aside);
  } catch {
    return; // another one was faster
  }
  const moved = readHolder(aside);
  if (moved !== undefined && isAlive(moved)) linked(aside, file);
  rmSync(aside, { force: true });
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(file: string): ProcessIdentity | undefined {
  try {
    return processIdentity.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
  } catch {
    // not there, or not ours to understand: nobody holds it
    return undefined;
  }
}
