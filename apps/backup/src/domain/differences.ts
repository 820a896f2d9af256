import type { DataEntry } from '#drivers/core';
import { canonicalJson } from '#kernel';

const FIELDS = [
  'type',
  'mode',
  'uid',
  'gid',
  'size',
  'mtime',
  'sha256',
  'linkTarget',
  'sameFileAs',
] as const satisfies ReadonlyArray<keyof DataEntry>;

/** What an older manifest has not, and what cannot be told everywhere: compared where both are known. */
const MAY_BE_UNKNOWN = ['device', 'attributes'] as const satisfies ReadonlyArray<keyof DataEntry>;

function differs(one: DataEntry['device' | 'attributes'], other: typeof one): boolean {
  return one !== undefined && other !== undefined && canonicalJson(one) !== canonicalJson(other);
}

/** Whether anything at all was done to it since, be it to what is not compared entry by entry (attributes, access lists). @param found without hashes, too */
export function wasTouched(wanted: readonly DataEntry[], found: readonly DataEntry[]): boolean {
  const changed = new Map(found.map((entry) => [entry.path, entry.changed]));
  return (
    wanted.length !== found.length ||
    wanted.some((entry) => entry.changed !== changed.get(entry.path))
  );
}

/** What differs, a line each, at most `limit` of them: empty when both are the same, entry by entry. */
export function differences(
  wanted: readonly DataEntry[],
  found: readonly DataEntry[],
  limit = 5,
): string[] {
  const lines: string[] = [];
  const rest = new Map(found.map((entry) => [entry.path, entry]));
  for (const entry of wanted) {
    if (lines.length >= limit) return lines;
    const other = rest.get(entry.path);
    rest.delete(entry.path);
    if (other === undefined) lines.push(`${entry.path} is missing`);
    else {
      const field = FIELDS.find((name) => entry[name] !== other[name]);
      if (field !== undefined)
        lines.push(
          `${entry.path} has ${field} ${String(other[field])} and not ${String(entry[field])}`,
        );
      else {
        const known = MAY_BE_UNKNOWN.find((name) => differs(entry[name], other[name]));
        if (known !== undefined)
          lines.push(
            `${entry.path} has ${known} ${canonicalJson(other[known])} and not ${canonicalJson(entry[known])}`,
          );
      }
    }
  }
  for (const path of rest.keys()) {
    if (lines.length >= limit) break;
    lines.push(`${path} should not be there`);
  }
  return lines;
}
