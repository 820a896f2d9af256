import { describe, expect, it } from 'vitest';
import { upgradeRequest, type UpgradeState } from '#contracts';
import { newSaga } from '#saga';
import { assertContinuable } from './continuation.js';
import type { UpgradeRecord } from './upgrade-view.js';

const request = upgradeRequest.parse({
  ...{ environment: 'prod', application: 'shop', release: 'shop-2.0' },
});
const at = new Date(0);
const ended = (state: UpgradeState, more: Partial<UpgradeRecord> = {}): UpgradeRecord => ({
  ...{ id: 'upg_x', environment: 'prod', application: 'shop', release: 'shop-2.0', version: 1 },
  ...{
    saga: { ...newSaga(), state },
    request,
    requestedBy: 'ann',
    planDigest: undefined,
    planShape: undefined,
  },
  ...{ message: undefined, lastSequence: 1, createdAt: at, updatedAt: at, endedAt: undefined },
  ...more,
});

describe('what an upgrade may continue', () => {
  it.each(['partially_succeeded', 'rolled_back', 'failed', 'cancelled', 'rejected'] as const)(
    'one that ended as %s, with something left',
    (state) => {
      expect(() => assertContinuable(ended(state), request)).not.toThrow();
    },
  );

  it('not one that succeeded without what it left out: that is for an upgrade of its own', () => {
    const exclude = [{ target: 'host-b' }];
    expect(() =>
      assertContinuable(ended('succeeded', { request: { ...request, exclude } }), request),
    ).toThrow('what it left out is for an upgrade of its own');
  });

  it.each([
    ['succeeded', {}, 'nothing is left of it'],
    ['needs_attention', {}, 'it is needs_attention; retry, resolve or cancel it'],
    ['running', {}, 'it is running'],
    ['failed', { release: 'shop-1.0' }, 'it is of release shop-1.0, not of shop-2.0'],
    ['failed', { environment: 'test' }, 'it is of environment test, not of prod'],
  ] as const)('not one that is %s %o', (state, more, message) => {
    expect(() => assertContinuable(ended(state, more), request)).toThrow(message);
  });
});
