import { LiftlockError } from '#kernel';

/** Levels of arrays and objects within each other that an input may have. */
export const MAX_DEPTH = 64;

/**
 * Refuses, before anything recurses over it, what is nested too deeply, and what PostgreSQL's jsonb cannot hold.
 * @throws LiftlockError `invalid_request` with the pointer of the place.
 */
export function assertTame(value: unknown): void {
  const open: { value: unknown; pointer: string; depth: number }[] = [
    { value, pointer: '', depth: 0 },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { pointer, depth } = next;
    if (typeof next.value === 'string') {
      if (next.value.includes('\0'))
        refuse(pointer, 'holds a NUL character, which cannot be stored');
    } else if (typeof next.value === 'number') {
      if (!Number.isFinite(next.value)) refuse(pointer, 'is not a finite number');
    } else if (typeof next.value === 'object' && next.value !== null) {
      if (depth >= MAX_DEPTH) refuse(pointer, `is nested deeper than ${MAX_DEPTH} levels`);
      for (const [key, item] of Object.entries(next.value)) {
        const part = key.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1');
        if (key.includes('\0')) refuse(pointer, 'has a field whose name holds a NUL character');
        if (key === '__proto__') refuse(`${pointer}/${part}`, 'unknown field');
        open.push({ value: item, pointer: `${pointer}/${part}`, depth: depth + 1 });
      }
    }
  }
}

function refuse(pointer: string, message: string): never {
  // a pointer into something deep is as long as it is deep
  const short = pointer.length > 300 ? `${pointer.slice(0, 300)}…` : pointer;
  throw new LiftlockError(
    'invalid_request',
    `${pointer === '' ? 'the input' : short}: ${message}`,
    {
      issues: [{ pointer: short, message }],
    },
  );
}
