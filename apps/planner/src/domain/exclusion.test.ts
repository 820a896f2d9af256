import { describe, expect, it } from 'vitest';
import { applicationDocument, upgradeRequest, type Exclusion, type Plan } from '#contracts';
import { canonicalJson } from '#kernel';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan, type PlanningInput } from './compute-plan.js';
import { extentOf } from './instances.js';
import { observeQuestions } from './observe-questions.js';
import { driftOf } from './plan-drift.js';
import { Problems } from './problems.js';

const HOST_B: Exclusion = { target: 'host-b' };
const DB: Exclusion = { instance: 'db@host-a' };

const without = (exclude: Exclusion[], more: Parameters<typeof given.input>[0] = {}) =>
  given.input({
    ...more,
    request: upgradeRequest.parse({
      ...{ environment: 'prod', application: 'shop', release: 'shop-2.0', exclude },
    }),
  });
const planOf = (input: PlanningInput): Plan => {
  const planned = computePlan(input);
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
};
const refusalOf = (input: PlanningInput): string => {
  const planned = computePlan(input);
  return 'refused' in planned ? planned.refused.message : 'planned';
};
const instancesOf = (plan: Plan): string[] =>
  plan.hops.flatMap(({ waves }) =>
    waves.flatMap(({ lanes }) => lanes.map(({ instance }) => instance)),
  );

describe('what an upgrade leaves out by name', () => {
  it('a target: nothing there is asked about, locked or touched, and the plan names what stays', () => {
    const input = without([HOST_B]);
    const [onA] = input.observations;
    if (onA === undefined) throw new Error('nothing was observed');
    const extent = extentOf(input.request, input.documents, new Problems());
    if (extent === undefined) throw new Error('there is no extent');
    expect(observeQuestions(extent).map(({ target }) => target.name)).toEqual(['host-a']);
    const plan = planOf({ ...input, observations: [onA] });
    expect(instancesOf(plan)).toEqual(['db@host-a', 'web@host-a']);
    expect(plan.targets.map(({ name }) => name)).toEqual(['host-a']);
    expect(plan.prepare.map(({ target }) => target.name)).not.toContain('host-b');
    expect(plan.changes.at(-1)).toEqual({
      ...{ instance: 'web@host-b', component: 'web', target: 'host-b' },
      ...{ from: 'unknown', to: 'unknown', updated: false, leftOut: true },
    });
    expect(plan.warnings.join()).toContain('host-b is left out and was not looked at');
  });

  it('an instance: where others take part its version is known, and it is no part of what must stay as observed', () => {
    const input = without([{ instance: 'web@host-a' }]);
    const extent = extentOf(input.request, input.documents, new Problems());
    if (extent === undefined) throw new Error('there is no extent');
    const [onA] = observeQuestions(extent);
    expect(onA?.containers).toContain('web');
    expect(onA?.containers).not.toContain('web-liftlock-old');
    const plan = planOf(input);
    expect(instancesOf(plan)).toEqual(['db@host-a', 'web@host-b']);
    expect(plan.changes.at(-1)).toMatchObject({ instance: 'web@host-a', from: '1.0', to: '1.0' });
    expect(plan.observed.map(({ instance }) => instance)).not.toContain('web@host-a');
  });

  it('an instance of which it is not known what it runs is warned of, with the reason', () => {
    const [onA, ...others] = given.input().observations;
    if (onA === undefined) throw new Error('nothing was observed');
    const warningOf = (changed: object): string | undefined => {
      const containers = onA.containers.map((one) =>
        one.container === 'shop-db' ? { ...one, ...changed } : one,
      );
      const input = without([DB], { observations: [{ ...onA, containers }, ...others] });
      return planOf(input).warnings.find((one) => one.startsWith('db@host-a is left out'));
    };
    expect(warningOf({})).toBeUndefined();
    expect(warningOf({ found: false })).toContain('there is no container shop-db on host-a');
    const other = { imageId: given.idOf('odd:7'), imageReference: 'odd:7' };
    expect(warningOf(other)).toContain('runs odd:7, which no release has');
  });

  it('is part of the digest, whichever way the same was named', () => {
    const plan = canonicalJson(planOf(without([HOST_B])));
    expect(canonicalJson(planOf(without([{ instance: 'web@host-b' }])))).toBe(plan);
    expect(canonicalJson(planOf(given.input()))).not.toBe(plan);
    const drift = driftOf(planOf(without([HOST_B])), planOf(given.input()));
    expect(drift.map(({ message }) => message)).toEqual([
      'web@host-b was left out (unknown), and is not left out',
    ]);
  });

  it.each([
    [{ target: 'host-c' }, 'nothing of shop runs on target host-c, which is to be left out'],
    [{ instance: 'cache@host-a' }, 'shop has no instance cache@host-a, which is to be left out'],
  ])('is refused where it names nothing: %o', (one, message) => {
    expect(refusalOf(without([one]))).toContain(message);
  });

  it('is refused where nothing is left', () => {
    expect(refusalOf(without([{ target: 'host-a' }, HOST_B]))).toContain(
      'all of shop is left out: there is nothing to upgrade',
    );
  });

  it('is refused where the rest does not get on with what stays old, by name', () => {
    const components = {
      web: { image: 'web:2.0', requires: { db: '>=2' } },
      db: { image: 'db:2.0' },
    };
    const release = given.stored(given.release('2.0', { components }));
    const releases = [given.stored(given.release('1.0')), release];
    expect(refusalOf(given.input({ release, releases }))).toBe('planned');
    expect(refusalOf(without([DB], { release, releases }))).toContain(
      'web 2.0 requires db >=2, and db 1.0 runs; db@host-a would stay so, being left out',
    );
  });

  it('is refused where it has a volume with what is upgraded', () => {
    const mounts = [
      { source: 'both', destination: '/data', kind: 'volume' as const, writable: true },
    ];
    const images = ['web:2.0', 'db:2.0', 'web:1.0', 'db:1.0'].map(given.present);
    const observations = [
      given.observed(
        'host-a',
        [
          given.container('web', 'web:1.0', { mounts }),
          given.container('shop-db', 'db:1.0', { mounts }),
        ],
        images,
      ),
      given.observed('host-b', [given.container('web', 'web:1.0')], images),
    ];
    const components = [given.web({ data: undefined }), given.db()];
    const application = given.stored(given.application(components));
    expect(refusalOf(given.input({ application, observations }))).toBe('planned');
    expect(refusalOf(without([DB], { application, observations }))).toContain(
      'db@host-a is to be left out and web@host-a is to be upgraded, and both have the volume both',
    );
  });

  it('is refused where a hook of the whole application is at work in it', () => {
    const { spec, ...rest } = given.application();
    const flush = { name: 'flush', type: 'command', command: ['flush'], undo: 'none' };
    const hooks = { before: [{ ...flush, instance: { component: 'db' } }] };
    const document = applicationDocument.parse({ ...rest, spec: { ...spec, hooks } });
    const application = given.stored(document);
    expect(refusalOf(without([HOST_B], { application }))).toBe('planned');
    expect(refusalOf(without([DB], { application }))).toContain(
      'the hook flush of shop is a command at db@host-a, which is to be left out',
    );
  });
});
