import { describe, expect, it } from 'vitest';
import type { UpgradeProgress } from '#contracts';
import { TransferBars } from './transfer-bars.js';

const upgrade = 'upg_01m7yhjd740ke4s5971snksa40';
const at = '2030-01-31T00:00:00.000Z';
const MIB = 1024 * 1024;
const HALF = `${'█'.repeat(12)}${'░'.repeat(12)}`;
const MIRROR = 'prepare/mirror/image-1';
const places = new Map(
  [
    [MIRROR, 'image.mirror'],
    ['prepare/a/image-1', 'image.prepare'],
    ['prepare/b/image-1', 'image.prepare'],
    ['h1/w1/web@a/stop', 'instance.stop'],
  ].map(([step = '', action = '']) => [
    step,
    { stage: 'prepare', instance: 'a', title: step, action },
  ]),
);

let sequence = 0;
const event = (type: string, data: Record<string, unknown>) => ({
  ...{ upgrade, type, at, data },
  sequence: (sequence += 1),
});
const measure = { doneBytes: 32 * MIB, totalBytes: 64 * MIB };
const moving = { ...measure, bytesPerSecond: 2 * MIB, secondsLeft: 16 };
function heard(more: Partial<UpgradeProgress> = {}): UpgradeProgress {
  return {
    ...{ upgrade, at },
    steps: [{ step: MIRROR, part: 'copy', ...moving }],
    totals: [{ kind: 'images', running: 1, ...moving }],
    ...more,
  };
}

function bars(): TransferBars {
  const all = new TransferBars();
  all.setPlaces(places);
  return all;
}

describe('bars of transfers', () => {
  it('a step has bytes, rate and time left; one that moves nothing has none', () => {
    const shown = bars();
    expect(shown.of(MIRROR)).toBeUndefined();
    shown.hear(heard());
    expect(shown.of(MIRROR)).toBe(`${HALF}  32.0 MiB of 64.0 MiB  2.0 MiB/s  16.0 s left`);
    expect(shown.of('h1/w1/web@a/stop')).toBeUndefined();
  });

  it('what is not known is left out, and which part of a restore it is, is said', () => {
    const shown = bars();
    const step = 'h1/back/web@a/restore';
    shown.hear(heard({ steps: [{ step, part: 'read', ...measure }] }));
    expect(shown.of(step)).toBe(`reading  ${HALF}  32.0 MiB of 64.0 MiB`);
  });

  it('images done of all come from plan and history, and a step that is tried again counts once', () => {
    const shown = bars();
    shown.hear(heard());
    expect(shown.totals()).toEqual([
      `images: 0 of 3 done  ${HALF}  32.0 MiB of 64.0 MiB  2.0 MiB/s  16.0 s left of what is under way`,
    ]);
    shown.apply(event('step-failed', { step: 'prepare/a/image-1' }));
    for (const type of ['step-succeeded', 'step-skipped'])
      shown.apply(event(type, { step: 'prepare/a/image-1' }));
    shown.apply(event('step-resolved', { step: 'prepare/b/image-1', outcome: 'failed' }));
    shown.apply(event('step-succeeded', { step: 'h1/w1/web@a/stop' }));
    expect(shown.totals()[0]).toMatch(/^images: 1 of 3 done {2}.* left of what is under way$/);
    shown.apply(event('step-resolved', { step: 'prepare/b/image-1', outcome: 'succeeded' }));
    expect(shown.totals()[0]).toMatch(/^images: 2 of 3 done {2}.* 16\.0 s left$/);
    // what is told of bytes comes later than the history, or never
    shown.apply(event('step-succeeded', { step: MIRROR }));
    expect(shown.totals()).toEqual([]);
  });

  it('without a plan, and for what no plan counts, there is a total all the same', () => {
    const shown = new TransferBars();
    shown.hear(heard({ totals: [{ kind: 'restores', running: 1, ...measure }] }));
    expect(shown.totals()).toEqual([`restores  ${HALF}  32.0 MiB of 64.0 MiB`]);
  });

  it('nothing is shown of a fleet that is out of reach', () => {
    const shown = bars();
    shown.hear(heard());
    shown.forget();
    expect([shown.of(MIRROR), shown.totals()]).toEqual([undefined, []]);
  });

  it('a whole of which nothing is known is an empty bar', () => {
    const shown = bars();
    const nothing = { doneBytes: 0, totalBytes: 0 };
    shown.hear(heard({ steps: [{ step: MIRROR, part: 'pull', ...nothing }] }));
    expect(shown.of(MIRROR)).toBe(`${'░'.repeat(24)}  0 B of 0 B`);
  });
});
