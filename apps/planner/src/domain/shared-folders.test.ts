import { describe, expect, it } from 'vitest';
import type { CompensationStep } from '#contracts';
import { computePlan, type PlanningInput } from './compute-plan.js';
import * as given from '../../test/support/planning-fixture.js';

/** On targets of the model, which take data on a share, too. */
function onShare(web: string[], db: string[], folders = ['/mnt/shop', '/mnt/shop']): PlanningInput {
  const [ofWeb = '', ofDb = ''] = folders;
  const targets = ['host-a', 'host-b'].map((name) => ({
    ...{ name, driver: 'model' as const, endpoint: `/model/${name}` },
  }));
  const components = [
    given.web({ targets: ['host-a'], data: { folder: ofWeb, paths: web } }),
    given.db({ data: { folder: ofDb, paths: db } }),
  ];
  return given.input({
    environment: given.stored(given.environment({ targets })),
    application: given.stored(given.application(components), 3),
  });
}

function backOf(input: PlanningInput): readonly CompensationStep[] {
  const planned = computePlan(input);
  if ('refused' in planned) throw planned.refused;
  return planned.ok.hops.flatMap(({ compensation }) => compensation);
}

describe('data of several instances on one share', () => {
  it('comes back when all is down, that of what others depend on first', () => {
    const back = backOf(onShare(['/web'], ['/db']));
    const ordered = back.flatMap(({ action, component, order }) =>
      order === undefined ? [] : [[component, action, order.way, order.tier]],
    );
    expect(ordered).toEqual([
      ['db', 'instance.stop-new', 'down', 0],
      ['db', 'data.restore', 'data', 0],
      ['db', 'instance.restore-old', 'up', 0],
      ['db', 'instance.check', 'up', 0],
      ['web', 'instance.stop-new', 'down', 1],
      ['web', 'data.restore', 'data', 1],
      ['web', 'instance.restore-old', 'up', 1],
      ['web', 'instance.check', 'up', 1],
    ]);
    const restores = back.filter(({ action }) => action === 'data.restore');
    expect(restores.map(({ input }) => input)).toMatchObject([
      { folder: '/mnt/shop', paths: ['/db'] },
      { folder: '/mnt/shop', paths: ['/web'] },
    ]);
  });

  it.each([
    [['/data'], ['/data'], undefined, '/mnt/shop/data is data of'],
    [['/data'], ['/data/db'], undefined, '/mnt/shop/data/db is data of'],
    [['/shop/data/web'], ['/data'], ['/mnt', '/mnt/shop'], '/mnt/shop/data/web is data of'],
  ])('is refused where parts lie within one another: %j and %j', (web, db, folders, message) => {
    const planned = computePlan(onShare(web, db, folders));
    if ('ok' in planned) throw new Error('it was planned');
    expect(planned.refused.issues?.map((issue) => issue.message)).toEqual([
      expect.stringContaining(message),
    ]);
  });

  it('is taken where names only begin alike', () => {
    expect(backOf(onShare(['/data', '/data-of-web'], ['/data-2']))).not.toEqual([]);
  });
});
