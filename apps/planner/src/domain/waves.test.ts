import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applicationDocument, type ApplicationDocument } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import type { Instance, PlannedTarget } from './instances.js';
import { countOf, wavesOf } from './waves.js';

const TARGETS = ['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7', 't8', 't9'];

const targets = new Map(
  TARGETS.map((name, index): [string, PlannedTarget] => [
    name,
    {
      target: { name, driver: 'model', site: 'main', endpoint: `/${name}` },
      maxUpgrades: 4,
      labels: { zone: index % 2 === 0 ? 'even' : 'odd' },
    },
  ]),
);

type Input = Parameters<typeof given.application>[0];

const specOf = (components: NonNullable<Input>, more: object = {}): ApplicationDocument['spec'] =>
  applicationDocument.parse({
    apiVersion: 'liftlock.dev/v1',
    kind: 'Application',
    metadata: { name: 'shop' },
    spec: { components, ...more },
  }).spec;

function membersOf(spec: ApplicationDocument['spec']): Array<{ instance: Instance }> {
  return spec.components.flatMap((component) =>
    component.targets.flatMap((name) => {
      const target = targets.get(name)?.target;
      if (target === undefined) return [];
      return [
        {
          instance: {
            ...{ id: `${component.name}@${name}`, component, target, container: component.name },
            ...{ keptName: 'kept', pointer: '', releasePointer: '' },
            wanted: given.release('2.0').spec.components['web'] ?? { image: '', env: {} },
          },
        },
      ];
    }),
  );
}

const idsOf = (spec: ApplicationDocument['spec']): string[][] =>
  wavesOf(membersOf(spec), spec, targets).map(({ members }) =>
    members.map(({ instance }) => instance.id),
  );

const component = (name: string, on: number, dependsOn: string[] = []) => ({
  ...{ name, dependsOn },
  targets: TARGETS.slice(0, on),
});

describe('waves', () => {
  it('one for each tier, where nothing more is asked for', () => {
    expect(idsOf(specOf([component('web', 2, ['db']), component('db', 1)]))).toEqual([
      ['db@t0'],
      ['web@t0', 'web@t1'],
    ]);
  });

  it('canaries of every component go first, and not where they would be all', () => {
    const spec = specOf([component('web', 4), component('db', 1)], { canary: '25%' });
    expect(idsOf(spec)).toEqual([['web@t0'], ['web@t1', 'web@t2', 'web@t3', 'db@t0']]);
  });

  it('no wave has more of one component than may be down', () => {
    const spec = specOf([component('web', 4), component('db', 1)], { maxUnavailable: '50%' });
    expect(idsOf(spec)).toEqual([
      ['web@t0', 'web@t1', 'db@t0'],
      ['web@t2', 'web@t3'],
    ]);
  });

  it('groups go one after another by the labels of their targets, and who is in none goes last', () => {
    const groups = [{ name: 'odd', selector: { zone: 'odd' } }];
    expect(idsOf(specOf([component('web', 4)], { groups }))).toEqual([
      ['web@t1', 'web@t3'],
      ['web@t0', 'web@t2'],
    ]);
  });

  it.each([
    [1, 10, 1],
    ['10%', 10, 1],
    ['33%', 10, 3],
    ['1%', 10, 1],
    ['100%', 7, 7],
  ] as const)('%s of %i are %i', (share, of, count) => {
    expect(countOf(share, of)).toBe(count);
  });

  it('any spec: everyone goes once, no tier begins before the one it depends on has ended, and no more are down than may be', () => {
    const share = fc.oneof(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 100 }).map((percent) => `${percent}%`),
    );
    const components = fc
      .array(fc.record({ on: fc.integer({ min: 1, max: 10 }), depends: fc.nat(255) }), {
        minLength: 1,
        maxLength: 6,
      })
      .map((all) =>
        all.map(({ on, depends }, index) =>
          component(
            `c${index}`,
            on,
            // on any of those before it: never a circle
            all.flatMap((_, other) =>
              other < index && (depends >> other) & 1 ? [`c${other}`] : [],
            ),
          ),
        ),
      );
    const more = fc.record(
      {
        maxParallel: share,
        maxUnavailable: share,
        canary: share,
        groups: fc.constant([{ name: 'odd', selector: { zone: 'odd' } }]),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(components, more, (all, rest) => {
        const spec = specOf(all, rest);
        const waves = wavesOf(membersOf(spec), spec, targets);
        const order = waves.flatMap(({ members }) => members.map(({ instance }) => instance.id));
        expect(order.toSorted()).toEqual(
          membersOf(spec)
            .map(({ instance }) => instance.id)
            .toSorted(),
        );
        waves.forEach(({ members, parallelism }, index) => {
          expect(parallelism).toBeGreaterThan(0);
          const later = new Set(
            waves
              .slice(index)
              .flatMap((one) => one.members.map(({ instance }) => instance.component.name)),
          );
          for (const { instance } of members)
            for (const on of instance.component.dependsOn) expect(later.has(on)).toBe(false);
          if (spec.maxUnavailable === undefined) return;
          for (const [, same] of Map.groupBy(members, ({ instance }) => instance.component.name)) {
            const size = same[0]?.instance.component.targets.length ?? 0;
            const limit = countOf(spec.maxUnavailable, size);
            const canaries = spec.canary === undefined ? 0 : countOf(spec.canary, size);
            const most = Math.max(limit, canaries);
            expect(same.length).toBeLessThanOrEqual(most);
          }
        });
      }),
      { numRuns: 300 },
    );
  });
});
