import { describe, expect, it } from 'vitest';
import { exclusion, leftOutText } from './exclusion.js';

describe('what a request leaves out', () => {
  it.each([{ target: 'host-b' }, { instance: 'web@host-b' }])('is one thing: %o', (one) => {
    expect(exclusion.parse(one)).toEqual(one);
  });

  it.each([
    {},
    { target: 'web@host-b' },
    { instance: 'web' },
    { instance: 'web@host-b@x' },
    { target: 'host-b', instance: 'web@host-b' },
  ])('and not another: %o', (one) => {
    expect(exclusion.safeParse(one).success).toBe(false);
  });
});

describe('instances that are left out, in a sentence', () => {
  const changes = Array.from({ length: 12 }, (_, n) => ({
    ...{ instance: `web@host-${n}`, leftOut: true as const },
  }));

  it('are named, and those beyond ten counted', () => {
    expect(leftOutText([{ instance: 'db@host-0' }])).toBeUndefined();
    expect(leftOutText([{ instance: 'db@host-0' }, ...changes.slice(0, 2)])).toBe(
      'web@host-0, web@host-1',
    );
    expect(leftOutText(changes)).toMatch(/^web@host-0, .*web@host-9 and 2 more$/);
  });
});
