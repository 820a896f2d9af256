/** The same value with each of its texts changed, however deep; names of fields are as they were. */
export function inTexts<T>(value: T, change: (text: string) => string): T {
  const walk = (one: unknown): unknown => {
    if (typeof one === 'string') return change(one);
    if (Array.isArray(one)) return one.map(walk);
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, walk(inner)]));
  };
  return walk(value) as T;
}

/** A text that somebody else wrote, as PostgreSQL can hold it: without NUL characters and halves of surrogate pairs (8.3, 8.14). */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}
