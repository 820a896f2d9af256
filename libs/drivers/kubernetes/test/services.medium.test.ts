import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { K0RDENT } from '../../../../test/support/k0rdent.js';
import { clusterDeployment, K0rdentScene, service, template } from './k0rdent-scene.js';
import { expectToFindItself } from './kube-scene.js';

let scene: K0rdentScene;
beforeAll(async () => {
  scene = await K0rdentScene.open();
}, 900_000);
afterAll(() => scene.close());

describe('a service of a ClusterDeployment', () => {
  it('is seen with its template, its chain’s templates, and what k0rdent says of it', async () => {
    const one = await scene.start('seen', '1', 'up');
    const { containers } = await scene.observe(one.container, `${one.container}x`);
    expect(containers[0]).toMatchObject({
      found: true,
      containerId: one.containerId,
      imageReference: 'ServiceTemplate/ingress-1',
      running: true,
      health: 'healthy',
      problems: [],
    });
    expect(containers[1]).toMatchObject({ found: false });
    await one.assertUnchanged('1');
    await expect(one.assertUnchanged('2')).rejects.toThrow(
      'template was ServiceTemplate/ingress-2, is ServiceTemplate/ingress-1',
    );
  });

  it('is walked hop by hop, each deployed before the next, and back the same way by the chain that leads down', async () => {
    const one = await scene.start('walked', '1', 'up');
    const before = await one.entry();
    for (const [hop, to] of ['2', '3', '4'].entries()) {
      expect((await one.replace(to, { chain: 'up' }, {}, hop + 1)).found).toBe('done_now');
      await one.check(to);
    }
    expect(scene.k0rdent.history.get('walked web/ingress')).toEqual(
      ['1', '2', '3', '4'].map(template),
    );
    for (const hop of [3, 2, 1])
      expect((await one.restoreOld({ chain: 'down' }, {}, hop)).found).toBe('done_now');
    expect(await one.entry()).toEqual(before);
    expect(scene.k0rdent.history.get('walked web/ingress')).toEqual(
      ['1', '2', '3', '4', '3', '2', '1'].map(template),
    );
    for (const hop of [1, 2, 3]) await one.removeOld(hop);
    expect(await one.records()).toEqual([]);
    expect(scene.k0rdent.refusals.filter((refusal) => refusal.includes('walked'))).toEqual([]);
  });

  it('is back when k0rdent has deployed what ran before, and has its own chain no sooner', async () => {
    const one = await scene.start('held', '3', 'up');
    await one.replace('4', { chain: 'up' });
    await one.check('4');
    scene.k0rdent.held.add(template('3'));
    const back = one.restoreOld({ chain: 'down' });
    await expect
      .poll(async () => (await one.now()).status?.services)
      .toMatchObject([{ template: 'ingress-3', state: 'Provisioning' }]);
    expect(await one.entry()).toEqual(service('3', 'down'));
    scene.k0rdent.held.clear();
    await back;
    expect(await one.entry()).toEqual(service('3', 'up'));
  });

  it('has a chain attached that leads there before its template is changed', async () => {
    const one = await scene.start('attached', '1');
    await one.replace('2', { chain: 'up' });
    expect(await one.entry()).toMatchObject({ template: 'ingress-2', templateChain: 'up' });
    await one.check('2');
    await one.restoreOld({ chain: 'down' });
    expect(await one.entry()).toEqual({ ...service('1') });
  });

  it('is refused in k0rdent’s words, with nothing of its template changed, where no way leads there', async () => {
    const one = await scene.start('refused', '1', 'up');
    await expect(one.replace('4', { chain: 'other' })).rejects.toMatchObject({
      code: 'target_refused',
      message: expect.stringContaining(
        "service web/ingress can't be upgraded from ingress-1 to ingress-4: its ServiceTemplateChain is other, and from ingress-1 k0rdent knows no way",
      ) as unknown,
    });
    expect(await one.entry()).toMatchObject({ template: 'ingress-1', templateChain: 'other' });
    expect((await one.restoreOld({})).found).toBe('done_now');
    expect(await one.entry()).toEqual(service('1', 'up'));
    const unchained = await scene.start('unchained', '1');
    await expect(unchained.replace('2')).rejects.toThrow(
      "service web/ingress can't be upgraded from ingress-1 to ingress-2: it has no ServiceTemplateChain",
    );
  });

  it('does not go back where no chain leads down, and says so', async () => {
    const one = await scene.start('upwards', '1', 'up');
    await one.replace('2', { chain: 'up' });
    await one.check('2');
    await expect(one.restoreOld({})).rejects.toThrow(
      "service web/ingress can't be upgraded from ingress-2 to ingress-1",
    );
    expect(await one.entry()).toMatchObject({ template: 'ingress-2' });
  });

  it('fails at once where k0rdent cannot deploy it, and goes back', async () => {
    const one = await scene.start('broken', '2', 'up');
    scene.k0rdent.broken.add(template('3'));
    try {
      await one.replace('3', { chain: 'up' });
      await expect(one.check('3')).rejects.toMatchObject({
        code: 'check_failed',
        message: expect.stringContaining('the chart has no such value') as unknown,
      });
      await one.restoreOld({ chain: 'down' });
      expect(await one.entry()).toEqual(service('2', 'up'));
    } finally {
      scene.k0rdent.broken.clear();
    }
  });

  it('finds what it did wherever an attempt was cut off, forward and back', async () => {
    const one = await scene.start('cut', '1');
    const before = await one.entry();
    const forward = await expectToFindItself((changes) =>
      one.replace('2', { chain: 'up' }, changes),
    );
    // the record, the chain, the template
    expect(forward).toBeGreaterThanOrEqual(2);
    await one.check('2');
    const back = await expectToFindItself((changes) => one.restoreOld({ chain: 'down' }, changes));
    expect(back).toBeGreaterThanOrEqual(2);
    expect(await one.entry()).toEqual(before);
  });

  it('is left alone where somebody else changed it, or has it disabled', async () => {
    const one = await scene.start('changed', '2', 'up');
    await one.replace('3', { chain: 'up' });
    await one.check('3');
    await scene.cluster.apply(clusterDeployment('changed', {}, service('4', 'up')));
    await one.untilDeployed(template('4'));
    await expect(one.replace('3', { chain: 'up' })).rejects.toMatchObject({
      code: 'drift',
      message: expect.stringContaining('was changed during the upgrade, to ingress-4') as unknown,
    });
    const ahead = await scene.start('ahead', '2', 'up');
    await expect(ahead.replace('2', { chain: 'up' })).rejects.toThrow('is ingress-2 already, and');
    const off = await scene.start('off', '1', 'up');
    await scene.cluster.apply(
      clusterDeployment('off', {}, { ...service('1', 'up'), disable: true }),
    );
    await expect(off.replace('2', { chain: 'up' })).rejects.toThrow('it is disabled');
    const { containers } = await scene.observe(off.container);
    expect(containers[0]?.problems).toEqual([expect.stringContaining('disabled')]);
  });
});

describe('a service of a MultiClusterService', () => {
  it('is deployed when it is in every cluster that has the labels, and in no other', async () => {
    const { namespace } = scene.cluster;
    const labels = { ring: `${namespace}-a` };
    await scene.cluster.apply(
      clusterDeployment('ring-a', labels),
      clusterDeployment('ring-b', labels),
      clusterDeployment('ring-other', { ring: 'other' }),
      {
        ...K0RDENT,
        kind: 'MultiClusterService',
        metadata: { name: `ingress-${namespace}`, labels: { test: namespace } },
        spec: {
          clusterSelector: { matchLabels: labels },
          serviceSpec: { services: [service('1', 'up')] },
        },
      },
    );
    const at = { holder: 'MultiClusterService', object: `ingress-${namespace}` } as const;
    const one = await scene.service(at, template('1'));
    await one.replace('2', { chain: 'up' });
    const { detail } = await one.check('2');
    expect(detail).toBe('ingress-2 is deployed in 2 of 2 clusters');
    expect(scene.k0rdent.history.get('ring-b web/ingress')).toEqual(['1', '2'].map(template));
    expect(scene.k0rdent.history.has('ring-other web/ingress')).toBe(false);
    await one.restoreOld({ chain: 'down' });
    expect(scene.k0rdent.history.get('ring-a web/ingress')).toEqual(['1', '2', '1'].map(template));
    expect(await one.entry()).toEqual(service('1', 'up'));
  });
});

describe('a service of a MultiClusterService whose clusters go in waves', () => {
  const clusters = ['canary', 'early', 'rest'];
  const historyOf = (prefix: string): unknown[] =>
    clusters.map((ring) => scene.k0rdent.history.get(`${prefix}-${ring} web/ingress`));
  const start = async (prefix: string) => {
    const { namespace } = scene.cluster;
    const fleet = `${namespace}-${prefix}`;
    const name = `${prefix}-${namespace}`;
    await scene.cluster.apply(
      ...clusters.map((ring) => clusterDeployment(`${prefix}-${ring}`, { fleet, ring })),
      {
        ...K0RDENT,
        kind: 'MultiClusterService',
        metadata: { name, labels: { test: namespace } },
        spec: {
          clusterSelector: { matchLabels: { fleet } },
          serviceSpec: { services: [service('1', 'up')] },
        },
      },
    );
    const one = await scene.service({ holder: 'MultiClusterService', object: name }, template('1'));
    return { one, before: (await one.now()).spec };
  };

  it('gets a template wave by wave, others keep theirs meanwhile, and in the end all are selected as before', async () => {
    const { one, before } = await start('waves');
    await one.replace('2', { chain: 'up', clusters: { ring: 'canary' } });
    expect((await one.check('2')).detail).toBe('ingress-2 is deployed in 1 of 1 clusters');
    const [first, second] = ['1', '2'].map(template);
    expect(historyOf('waves')).toEqual([[first, second], [first], [first]]);
    await one.replace('2', { chain: 'up', clusters: { ring: 'early' } });
    await one.check('2');
    expect(historyOf('waves')).toEqual([[first, second], [first, second], [first]]);
    await one.replace('2', { chain: 'up' });
    expect((await one.check('2')).detail).toBe('ingress-2 is deployed in 3 of 3 clusters');
    expect(historyOf('waves')).toEqual(clusters.map(() => [first, second]));
    const { serviceSpec: _service, ...selection } = (await one.now()).spec;
    const { serviceSpec: _before, ...selected } = before;
    expect(selection).toEqual(selected);
  });

  it('goes back from the middle of them to what was, in every cluster, wherever an attempt is cut off', async () => {
    const { one, before } = await start('middle');
    await expectToFindItself((changes) =>
      one.replace('2', { chain: 'up', clusters: { ring: 'canary' } }, changes),
    );
    await one.check('2');
    await expectToFindItself((changes) => one.restoreOld({ chain: 'down' }, changes));
    expect((await one.now()).spec).toEqual(before);
    const [first, second] = ['1', '2'].map(template);
    expect(historyOf('middle')).toEqual([[first, second, first], [first], [first]]);
  });

  it('is refused where a wave would select what is not selected', async () => {
    const { one, before } = await start('wrong');
    await expect(one.replace('2', { chain: 'up', clusters: { fleet: 'other' } })).rejects.toThrow(
      'and a wave for fleet=other',
    );
    expect((await one.now()).spec).toEqual(before);
  });
});

describe('what k0rdent has', () => {
  it('is told of templates that are there and valid, and of chains as they are', async () => {
    const one = await scene.start('told', '1', 'up');
    const { namespace } = scene.cluster;
    const { target } = scene.context({});
    const observed = await scene.driver.instances.observe(
      {
        target,
        containers: [one.container],
        images: ['ingress-2', 'ingress-9'].map((name) => ({
          reference: `ServiceTemplate/${name}`,
        })),
        chains: [
          { namespace, name: 'up' },
          { namespace, name: 'none' },
        ],
      } as never,
      AbortSignal.timeout(60_000),
    );
    expect(observed.images).toMatchObject([
      { present: true },
      { present: false, problem: `there is none in ${namespace}` },
    ]);
    expect(observed.chains).toMatchObject([
      {
        name: 'up',
        generation: 1,
        spec: { supportedTemplates: [{ name: 'ingress-1' }, {}, {}, {}] },
      },
      { name: 'none' },
    ]);
    expect(observed.chains?.[1]).not.toHaveProperty('generation');
  });
});
