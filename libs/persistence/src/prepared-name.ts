import { createHash } from 'node:crypto';

/** Statements that a process has names for at most: its code has fewer, unless a text is made anew each time. */
const MOST = 500;
/** A list of all columns: of a table, or in a subquery. */
const ALL_COLUMNS = /(?:SELECT|RETURNING|,|\.)\s*\*/i;

const names = new Map<string, string | undefined>();

/**
 * The name under which connections keep a statement prepared: PostgreSQL, which takes longer to parse and plan most of ours than to carry them
 * out, does so once for each connection. It comes from the text, so that no two statements have one.
 * @returns nothing for what asks for all columns: after a migration that adds one, the connections of a binary that runs on would refuse it.
 */
export function preparedName(text: string): string | undefined {
  if (names.has(text)) return names.get(text);
  if (names.size >= MOST) return undefined;
  const name = ALL_COLUMNS.test(text)
    ? undefined
    : createHash('sha256').update(text).digest('hex').slice(0, 32);
  names.set(text, name);
  return name;
}
