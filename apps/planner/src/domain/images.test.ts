import { describe, expect, it } from 'vitest';
import { computePlan, type PlanningInput } from './compute-plan.js';
import * as given from '../../test/support/planning-fixture.js';

const pinned = `registry.example/web@${given.idOf('pinned')}`;

function withWeb(
  version: Parameters<typeof given.release>[1],
  observed: Parameters<typeof given.observed>[2],
  container = given.container('web', 'web:1.0'),
  others: Parameters<typeof given.release>[] = [],
): PlanningInput {
  const release = given.stored(given.release('2.0', version));
  return given.input({
    application: given.stored(
      given.application([given.web({ dependsOn: [], targets: ['host-a'] })]),
    ),
    release,
    releases: [...others.map((args) => given.stored(given.release(...args))), release],
    observations: [given.observed('host-a', [container], observed)],
  });
}

function planOf(input: PlanningInput) {
  const planned = computePlan(input);
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

const prepared = (input: PlanningInput): unknown => planOf(input).prepare[0]?.input;

describe('the image of a plan', () => {
  it('is named by the id that is there', () => {
    const input = withWeb({ components: { web: { image: 'web:2.0' } } }, [
      given.present('web:2.0'),
    ]);
    expect(prepared(input)).toEqual({ image: { reference: 'web:2.0', id: given.idOf('web:2.0') } });
  });

  it('is the archive’s, even where the tag is another image today', () => {
    const input = withWeb({ components: { web: { image: 'web:2.0', archive: '/web.tar' } } }, [
      { ...given.present('web:2.0'), archiveId: given.idOf('archive') },
    ]);
    expect(prepared(input)).toEqual({
      image: { reference: 'web:2.0', id: given.idOf('archive') },
      archive: '/web.tar',
    });
    expect(planOf(input).warnings.join()).toContain('is another image');
  });

  it('is pinned by digest where it is still to be pulled, and checked by it', () => {
    const input = withWeb({ components: { web: { image: pinned } } }, [
      { reference: pinned, present: false },
    ]);
    expect(prepared(input)).toEqual({ image: { reference: pinned, digest: pinned } });
    const check = planOf(input).hops[0]?.waves[0]?.lanes[0]?.steps.at(-1);
    expect(check?.input).toMatchObject({ imageDigest: pinned });
  });

  it('counts as running when the engine knows the container’s image by that digest', () => {
    const container = given.container('web', 'whatever', {
      repoDigests: [`mirror.example/web@${given.idOf('pinned')}`],
    });
    const planned = computePlan(
      withWeb(
        { components: { web: { image: pinned } } },
        [{ reference: pinned, present: false }],
        container,
      ),
    );
    expect(planned).toHaveProperty('refused');
  });
});

describe('the version that runs', () => {
  const web = (image: string) => ({ components: { web: { image } } });
  const twoZero = web('web:2.0');

  it('is the release whose image the container was made from, though the tag has moved on', () => {
    const old = { components: { web: { image: 'web:1.0', id: given.idOf('web:1.0') } } };
    const seen = [
      given.present('web:2.0'),
      { ...given.present('web:1.0'), id: given.idOf('rebuilt') },
    ];
    expect(planOf(withWeb(twoZero, seen, undefined, [['1.0', old]])).from).toBe('1.0');
  });

  it('of several with one image is the highest', () => {
    const same = [
      given.present('web:2.0'),
      ...['a', 'b', 'c'].map((tag) => ({
        ...given.present(`web:${tag}`),
        id: given.idOf('web:1.0'),
      })),
    ];
    const others: Parameters<typeof given.release>[] = [
      ['1.10', web('web:b')],
      ['1.9', web('web:a')],
      ['1.2', web('web:c')],
    ];
    expect(planOf(withWeb(twoZero, same, undefined, others)).from).toBe('1.10');
  });

  it('is unknown when no release has the image', () => {
    expect(planOf(withWeb(twoZero, [given.present('web:2.0')])).from).toBe('unknown');
  });
});
