import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf, writeCanonicalJson } from './digest.js';

/** What canonical JSON is: digests of stored plans and documents were made of this. */
function asDefined(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(
          Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : Number(a > b))),
        )
      : item,
  );
}

const anything = fc.anything({
  withDate: true,
  withNullPrototype: true,
  withSparseArray: true,
  withUnicodeString: true,
  key: fc.oneof(
    fc.string(),
    fc.nat().map(String),
    fc.constantFrom('toJSON', '__proto__', '4294967295', '-1', '01', 'a b', 'a', 'b'),
  ),
  maxDepth: 4,
});

describe('canonical JSON', () => {
  it('is for any value what it always was, or else stored digests would no longer name what they name', () => {
    fc.assert(
      fc.property(
        anything.filter((value) => value !== undefined && typeof asDefined(value) === 'string'),
        (value) => {
          expect(canonicalJson(value)).toBe(asDefined(value));
          const sha256 = createHash('sha256').update(asDefined(value)).digest('hex');
          expect(digestOf(value)).toBe(`sha256:${sha256}`);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('does not depend on the order in which keys were written', () => {
    expect(canonicalJson({ b: 1, a: { d: 2, c: [undefined, { f: 3, e: undefined }] } })).toBe(
      '{"a":{"c":[null,{"f":3}],"d":2},"b":1}',
    );
  });

  it('keeps apart keys that look alike when they stand in a row', () => {
    expect(
      canonicalJson([
        { 'a b': 1, c: 2 },
        { a: 3, 'b c': 4 },
      ]),
    ).toBe('[{"a b":1,"c":2},{"a":3,"b c":4}]');
  });

  it('of something large comes in pieces, none of which is large', () => {
    const value = Array.from({ length: 50_000 }, (_, index) => ({ index, name: `name-${index}` }));
    const pieces: string[] = [];
    writeCanonicalJson(value, (piece) => pieces.push(piece));
    expect(pieces.length).toBeGreaterThan(10);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(128 * 1024);
    expect(pieces.join('')).toBe(asDefined(value));
  });

  it('refuses what has none, rather than giving all of it one digest', () => {
    expect(() => digestOf(undefined)).toThrow('undefined has no JSON');
  });
});
