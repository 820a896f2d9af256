import type { DataEntry } from '#drivers/core';
import { differences } from './differences.js';

/** Names that are kept of what changed: of a busy data base it may be all. */
const NAMED = 20;

export interface ReadWhileRunning {
  /** What the archive holds: each as its own reading found it. */
  readonly entries: readonly DataEntry[];
  /** What was not the same before and behind the reading; undefined: all of it was. */
  readonly fuzzy: { readonly entries: number; readonly some: string[] } | undefined;
}

/**
 * What was read of data that was written to: the archive says what it has; the lists around it, made without contents, say what was touched, and
 * know more of what was not.
 */
export function readWhileRunning(
  before: readonly DataEntry[],
  archived: readonly DataEntry[],
  after: readonly DataEntry[],
): ReadWhileRunning {
  const first = new Map(before.map((entry) => [entry.path, entry]));
  const last = new Map(after.map((entry) => [entry.path, entry]));
  const changed: string[] = [];
  const entries = archived.map((entry): DataEntry => {
    const listed = first.get(entry.path);
    const then = last.get(entry.path);
    first.delete(entry.path);
    last.delete(entry.path);
    if (listed === undefined || then === undefined || !isSame(listed, then, entry)) {
      changed.push(entry.path);
      return entry;
    }
    const { sameFileAs: _sameFileAs, ...known } = listed;
    return {
      ...known,
      ...(entry.sha256 === undefined ? {} : { sha256: entry.sha256 }),
      ...(entry.sameFileAs === undefined ? {} : { sameFileAs: entry.sameFileAs }),
    };
  });
  // came, or went, so that the archive has nothing of it
  changed.push(...new Set([...first.keys(), ...last.keys()]));
  const fuzzy =
    changed.length === 0
      ? undefined
      : { entries: changed.length, some: changed.toSorted().slice(0, NAMED) };
  return { entries, fuzzy };
}

function isSame(before: DataEntry, after: DataEntry, archived: DataEntry): boolean {
  return (
    before.changed !== undefined &&
    before.changed === after.changed &&
    before.size === archived.size &&
    before.type === archived.type &&
    differences([before], [after], 1).length === 0
  );
}
