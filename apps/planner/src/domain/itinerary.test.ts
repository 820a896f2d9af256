import { describe, expect, it } from 'vitest';
import { madeBy, upgradeChainDocument, upgradeRequest, type Plan } from '#contracts';
import { PlanIndex } from '#saga';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan, type PlanningInput } from './compute-plan.js';

const versions = ['1.0', '2.0', '3.0', '4.0'];

const chain = (edges: Record<string, string[]>, name = 'shop-chain') =>
  given.stored(
    upgradeChainDocument.parse({
      apiVersion: 'liftlock.dev/v1',
      kind: 'UpgradeChain',
      metadata: { name },
      spec: {
        application: 'shop',
        supportedVersions: versions.map((version) => ({
          version,
          availableUpgrades: edges[version] ?? [],
        })),
      },
    }),
  );

const up = chain({ '1.0': ['4.0', '2.0'], '2.0': ['3.0'], '3.0': ['4.0'] });

function chained(more: Parameters<typeof given.input>[0] = {}, running = '1.0'): PlanningInput {
  const images = versions.flatMap((version) => [
    given.present(`web:${version}`),
    given.present(`db:${version}`),
  ]);
  return given.input({
    request: upgradeRequest.parse({
      environment: 'prod',
      application: 'shop',
      release: 'shop-4.0',
    }),
    application: given.stored({
      ...given.application(),
      spec: { ...given.application().spec, chains: ['shop-chain'] },
    }),
    release: given.stored(given.release('4.0')),
    releases: versions.map((version) => given.stored(given.release(version))),
    chains: [up],
    observations: [
      given.observed(
        'host-a',
        [given.container('web', `web:${running}`), given.container('shop-db', `db:${running}`)],
        images,
      ),
      given.observed('host-b', [given.container('web', 'web:1.0')], images),
    ],
    ...more,
  });
}

function planOf(input: PlanningInput): Plan {
  const planned = computePlan(input);
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

function refusalOf(input: PlanningInput): string {
  const planned = computePlan(input);
  if ('ok' in planned) throw new Error('it was planned');
  return planned.refused.message;
}

describe('a plan of several hops', () => {
  it('walks every version, each with its own waves, though an edge leads straight past them', () => {
    const plan = planOf(chained());
    expect(plan.hops.map(({ id, from, to }) => [id, from, to])).toEqual([
      ['h1', '1.0', '2.0'],
      ['h2', '2.0', '3.0'],
      ['h3', '3.0', '4.0'],
    ]);
    expect([plan.from, plan.to]).toEqual(['1.0', '4.0']);
    expect(PlanIndex.of(plan).lanes.size).toBe(9);
    expect(plan.documents.map(({ name }) => name)).toEqual([
      'prod',
      'shop',
      'shop-chain',
      'shop-1.0',
      'shop-2.0',
      'shop-3.0',
      'shop-4.0',
    ]);
  });

  it('a later hop begins with what the earlier one makes, keeps it under a name of its own, and only the first is compared with what was seen', () => {
    const plan = planOf(chained());
    const [first, second] = plan.hops.map(
      ({ waves }) => waves[1]?.lanes.find(({ instance }) => instance === 'web@host-a')?.steps ?? [],
    );
    expect(first?.[0]?.input['containerId']).toBe('id-of-web');
    expect(second?.map(({ input }) => input['containerId'])).toEqual([
      madeBy('h1/w2/web@host-a/3-replace'),
      madeBy('h1/w2/web@host-a/3-replace'),
      madeBy('h1/w2/web@host-a/3-replace'),
      undefined,
    ]);
    expect(first?.[2]?.input['keptName']).toBe('web-liftlock-old');
    expect(second?.[2]?.input['keptName']).toBe('web-liftlock-old-2');
    expect(second?.[1]?.input['backup']).toBe('h2-web@host-a');
    expect(
      plan.prepare.filter(({ action }) => action === 'instance.assert-unchanged'),
    ).toHaveLength(3);
    expect(plan.bakeChecks).toHaveLength(3);
    expect(plan.finalize).toHaveLength(9);
  });

  it('going back over several hops, the old one of a later hop gets its name but not its life', () => {
    const back = planOf(chained()).hops[1]?.compensation ?? [];
    const ofWeb = back.filter(({ lanes }) => lanes.includes('h2/w2/web@host-a'));
    expect(
      ofWeb.map(({ id, input, destinationOnly }) => [
        id.split('/').at(-1),
        input['start'],
        destinationOnly,
      ]),
    ).toEqual([
      ['1-stop-new', undefined, false],
      ['2-restore', undefined, true],
      ['3-put-back', false, false],
      ['4-restore-old', true, true],
      ['5-check-old', undefined, true],
      ['6-remove-new', undefined, false],
    ]);
    expect(ofWeb[4]?.input['imageId']).toBe(given.idOf('web:2.0'));
  });

  it('instances that begin at different versions meet on the way', () => {
    const plan = planOf(chained({}, '3.0'));
    expect(
      plan.hops.map(({ to, waves }) => [
        to,
        waves.flatMap(({ lanes }) => lanes.map(({ instance }) => instance)),
      ]),
    ).toEqual([
      ['2.0', ['web@host-b']],
      ['3.0', ['web@host-b']],
      ['4.0', ['db@host-a', 'web@host-a', 'web@host-b']],
    ]);
  });

  it('an image that two versions share is not replaced by itself', () => {
    const releases = versions.map((version) =>
      given.stored(
        given.release(version, {
          components: {
            web: { image: `web:${version}` },
            db: { image: version === '1.0' ? 'db:1.0' : 'db:2.0' },
          },
        }),
      ),
    );
    const plan = planOf(chained({ releases, release: releases[3] }));
    expect(
      plan.hops.map(({ waves }) =>
        waves.flatMap(({ lanes }) => lanes.map(({ instance }) => instance)),
      ),
    ).toEqual([
      ['db@host-a', 'web@host-a', 'web@host-b'],
      ['web@host-a', 'web@host-b'],
      ['web@host-a', 'web@host-b'],
    ]);
  });

  it('is refused without a way, with from, to and the hops that exist', () => {
    expect(refusalOf(chained({ chains: [chain({ '1.0': ['2.0'], '3.0': ['4.0'] })] }))).toContain(
      "web@host-a can't be upgraded from 1.0 to 4.0: the hops that exist are 1.0 → 2.0",
    );
    expect(refusalOf(chained({ chains: [] }))).toContain('there is no chain shop-chain');
    const none = given.stored({
      ...given.application(),
      spec: { ...given.application().spec, chains: [] },
    });
    expect(refusalOf(chained({ application: none, chains: [] }))).toContain(
      "db@host-a can't be upgraded from 1.0 to 4.0: ",
    );
  });

  it('is refused where nobody knows what runs, and where a release on the way is not stored, or lacks a component', () => {
    const releases = versions.map((version) => given.stored(given.release(version)));
    const unknown = chained({ releases: releases.slice(1) });
    expect(refusalOf(unknown)).toContain('no release has the image that it runs');
    expect(
      refusalOf(
        chained({
          releases: [releases[0], releases[1], releases[3]].filter((one) => one !== undefined),
        }),
      ),
    ).toContain('its way leads by 3.0, of which there is no release');
    const lacking = given.stored(
      given.release('3.0', { components: { web: { image: 'web:3.0' } } }),
    );
    expect(
      refusalOf(chained({ releases: [...releases.slice(0, 2), lacking, ...releases.slice(3)] })),
    ).toContain('release shop-3.0 has no image for component db');
  });

  it('is refused when the name is taken that a later hop would keep its old container under', () => {
    const input = chained();
    const [hostA, hostB] = input.observations;
    const taken = given.container('web-liftlock-old-2', 'web:1.0');
    const observations = [hostA, { ...hostB, containers: [...(hostB?.containers ?? []), taken] }];
    expect(
      refusalOf({ ...input, observations: observations as PlanningInput['observations'] }),
    ).toContain('web-liftlock-old-2 is on host-b already');
  });
});
