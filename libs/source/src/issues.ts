import type { z } from 'zod';
import type { Issue } from '#kernel';
import type { SourceDocument } from './source-document.js';

/** Zod's findings as places and sentences; an unknown field is named itself, not the object that holds it. */
export function issuesOf(error: z.ZodError, source?: SourceDocument, base = ''): Issue[] {
  return flat(error.issues).map(({ path, message }) => {
    const pointer = base + path.map((part) => `/${escape(String(part))}`).join('');
    const line = source?.lineOf(pointer.slice(base.length));
    return line === undefined ? { pointer, message } : { pointer, message, line };
  });
}

interface Finding {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function flat(issues: readonly z.core.$ZodIssue[], above: readonly PropertyKey[] = []): Finding[] {
  return issues.flatMap((issue): Finding[] => {
    const path = [...above, ...issue.path];
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => ({ path: [...path, key], message: 'unknown field' }));
      case 'invalid_key':
      case 'invalid_element':
        return flat(issue.issues, path);
      case 'invalid_union': {
        // the alternative that came closest says most: one that takes such a value at all, and then the one with the least to say
        const best = issue.errors.toSorted(
          (a, b) => Number(a.some(isOfItself)) - Number(b.some(isOfItself)) || a.length - b.length,
        )[0];
        if (best === undefined || best.length === 0) return [{ path, message: issue.message }];
        return flat(best, path);
      }
      default:
        return [{ path, message: issue.message }];
    }
  });
}

/** Whether the value is refused as a whole, and not something within it. */
function isOfItself({ path, code }: z.core.$ZodIssue): boolean {
  return path.length === 0 && code !== 'unrecognized_keys';
}

function escape(part: string): string {
  return part.replaceAll('~', '~0').replaceAll('/', '~1');
}
