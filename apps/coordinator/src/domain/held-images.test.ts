import { describe, expect, it } from 'vitest';
import { heldImagesOf, type ImageHolder } from './held-images.js';

const upgrade = (id: string, more: Partial<ImageHolder>): ImageHolder => ({
  id,
  environment: 'prod',
  application: 'shop',
  state: 'succeeded',
  images: [],
  instances: ['web@one', 'web@two'],
  skipped: false,
  ...more,
});
const held = (...newestFirst: ImageHolder[]): string[] =>
  heldImagesOf(newestFirst, new Set(['v1', 'v2', 'v3'])).map(
    ({ digest, upgrade: by, why }) => `${digest} ${by} ${why}`,
  );
const first = upgrade('u1', { images: ['v1'] });

describe('images that upgrades hold', () => {
  it('what runs is held; what ran before it is not', () => {
    expect(held(upgrade('u2', { images: ['v2'] }), first)).toEqual(['v2 u2 runs']);
  });

  it.each(['running', 'baking', 'rolling_back', 'needs_attention', 'awaiting_approval'] as const)(
    'while the next is %s, the old version is held, too: it may go back',
    (state) => {
      const next = upgrade('u2', { state, images: ['v2'] });
      expect(held(next, first)).toEqual(['v2 u2 not_ended', 'v1 u1 runs']);
    },
  );

  it('what was rolled back holds nothing, and what it went back to is held', () => {
    const back = upgrade('u2', { state: 'rolled_back', images: ['v2'], instances: [] });
    expect(held(back, first)).toEqual(['v1 u1 runs']);
  });

  it('an instance that was left behind on the old version holds it', () => {
    const partly = upgrade('u2', {
      ...{ state: 'partially_succeeded', images: ['v2'], instances: ['web@one'] },
    });
    expect(held(partly, first)).toEqual(['v2 u2 runs', 'v1 u1 runs']);
  });

  it('where a person skipped a step, it is not taken for granted that the new version runs', () => {
    expect(held(upgrade('u2', { images: ['v2'], skipped: true }), first)).toEqual([
      'v2 u2 runs',
      'v1 u1 runs',
    ]);
  });

  it('the same instance of another environment is another', () => {
    const other = upgrade('u2', { environment: 'test', images: ['v2'] });
    expect(held(other, first)).toEqual(['v2 u2 runs', 'v1 u1 runs']);
  });
});
