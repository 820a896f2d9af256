import { describe, expect, it } from 'vitest';
import { canonicalJson } from '#kernel';
import { ACTIONS, isActionName, plan as planSchema, upgradeRequest, type Plan } from '#contracts';
import { PlanIndex } from '#saga';
import { computePlan, type PlanningInput } from './compute-plan.js';
import * as given from '../../test/support/planning-fixture.js';

function planOf(input: PlanningInput): Plan {
  const planned = computePlan(input);
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

function refusalOf(input: PlanningInput) {
  const planned = computePlan(input);
  if ('ok' in planned) throw new Error('it was planned');
  return planned.refused;
}

const stepsOf = (plan: Plan, lane: string) =>
  plan.hops
    .flatMap(({ waves }) => waves.flatMap(({ lanes }) => lanes))
    .find(({ id }) => id === lane)?.steps ?? [];

describe('computePlan', () => {
  it('gives the same bytes for the same input, and a plan that its schema, the actions and the engine take', () => {
    const plan = planOf(given.input());
    expect(canonicalJson(planOf(given.input()))).toBe(canonicalJson(plan));
    expect(canonicalJson(planSchema.parse(JSON.parse(canonicalJson(plan))))).toBe(
      canonicalJson(plan),
    );
    const index = PlanIndex.of(plan);
    expect(index.steps.size).toBeGreaterThan(20);
    for (const { step } of index.steps.values()) {
      if (!isActionName(step.action)) throw new Error(step.action);
      expect(ACTIONS[step.action].input.parse(step.input)).toEqual(step.input);
    }
  });

  it('upgrades what is depended on first, and lanes in the order of the documents', () => {
    const [hop] = planOf(given.input()).hops;
    expect(hop?.waves.map(({ id, lanes }) => [id, lanes.map((lane) => lane.id)])).toEqual([
      ['h1/w1', ['h1/w1/db@host-a']],
      ['h1/w2', ['h1/w2/web@host-a', 'h1/w2/web@host-b']],
    ]);
    expect([hop?.from, hop?.to]).toEqual(['1.0', '2.0']);
  });

  it('takes the snapshot between stop and start, and restores only after the new one was stopped', () => {
    const plan = planOf(given.input());
    const lane = 'h1/w2/web@host-a';
    expect(stepsOf(plan, lane).map(({ id }) => id)).toEqual(
      ['1-stop', '2-snapshot', '3-replace', '4-check'].map((name) => `${lane}/${name}`),
    );
    const back = (plan.hops[0]?.compensation ?? []).filter(({ lanes }) => lanes.includes(lane));
    const at = 'h1/back/web@host-a';
    expect(
      back.map(({ id, when, after, destinationOnly }) => ({ id, when, after, destinationOnly })),
    ).toEqual([
      { id: `${at}/1-stop-new`, when: [`${lane}/3-replace`], after: [], destinationOnly: false },
      {
        id: `${at}/2-restore`,
        when: [`${lane}/3-replace`],
        after: [`${at}/1-stop-new`],
        destinationOnly: true,
      },
      {
        id: `${at}/3-restore-old`,
        when: [`${lane}/1-stop`, `${lane}/3-replace`],
        after: [`${at}/1-stop-new`, `${at}/2-restore`],
        destinationOnly: true,
      },
      {
        id: `${at}/4-check-old`,
        when: [`${lane}/1-stop`, `${lane}/3-replace`],
        after: [`${at}/3-restore-old`],
        destinationOnly: true,
      },
      {
        id: `${at}/5-remove-new`,
        when: [`${lane}/3-replace`],
        after: [`${at}/3-restore-old`, `${at}/4-check-old`],
        destinationOnly: false,
      },
    ]);
    expect(back[1]?.input).toMatchObject({ backup: 'h1-web@host-a', paths: ['/data'] });
    expect(stepsOf(plan, lane)[1]?.input).toMatchObject({
      backup: 'h1-web@host-a',
      consistency: 'stopped',
    });
    expect(back[3]?.input).toMatchObject({ imageId: given.idOf('web:1.0') });
  });

  it('plans neither snapshot nor restore for what has no data', () => {
    const plan = planOf(given.input());
    expect(stepsOf(plan, 'h1/w1/db@host-a').map(({ action }) => action)).toEqual([
      'instance.stop',
      'instance.replace',
      'instance.check',
    ]);
    expect(
      plan.hops[0]?.compensation.some(
        ({ id, action }) => id.includes('db@') && action === 'data.restore',
      ),
    ).toBe(false);
  });

  it('says to snapshot and restore alike when what is found need not be kept', () => {
    const careless = given.web({ data: { paths: ['/data'], keepAside: false } });
    const plan = planOf(
      given.input({ application: given.stored(given.application([careless, given.db()])) }),
    );
    const hop = plan.hops[0];
    const steps = [
      ...(hop?.compensation ?? []).map((one) => one.input),
      ...stepsOf(plan, 'h1/w2/web@host-b').map((one) => one.input),
    ];
    const saying = steps.filter((input) => 'keepAside' in input && input.keepAside === false);
    expect(saying.length).toBeGreaterThanOrEqual(2);
  });

  it('says to the snapshot which engine keeps it, and to the restore nothing: its manifest does', () => {
    const large = given.web({ data: { paths: ['/data'], engine: 'restic' } });
    const plan = planOf(
      given.input({ application: given.stored(given.application([large, given.db()])) }),
    );
    const hop = plan.hops[0];
    const back = (hop?.compensation ?? []).filter(({ action }) => action === 'data.restore');
    expect(back.length).toBeGreaterThan(0);
    expect(back.some(({ input }) => 'engine' in input)).toBe(false);
    const inputs = stepsOf(plan, 'h1/w2/web@host-b').map(({ input }) => input);
    expect(inputs.filter((input) => 'engine' in input && input.engine === 'restic').length).toBe(1);
  });

  it('with consistency running snapshots before the stop, and warns', () => {
    const running = given.web({ data: { paths: ['/data'], consistency: 'running' } });
    const plan = planOf(
      given.input({ application: given.stored(given.application([running, given.db()])) }),
    );
    expect(
      stepsOf(plan, 'h1/w2/web@host-b')
        .map(({ action }) => action)
        .slice(0, 3),
    ).toEqual(['data.snapshot', 'instance.stop', 'instance.replace']);
    expect(plan.warnings.join()).toContain('the data of web@host-b is snapshot while it runs');
  });

  it('with consistency paused snapshots before the stop, says so, and gives the application its commands', () => {
    const command = (...words: string[]) =>
      ({ type: 'command', command: words, env: {}, exitCode: 0 }) as const;
    const hooks = {
      before: command('freeze', '${LIFTLOCK_TO_VERSION}'),
      after: command('thaw'),
      timeoutSeconds: 60,
    };
    const paused = given.web({ data: { paths: ['/data'], consistency: 'paused', hooks } });
    const plan = planOf(
      given.input({ application: given.stored(given.application([paused, given.db()])) }),
    );
    const [snapshot, stop] = stepsOf(plan, 'h1/w2/web@host-b');
    expect([snapshot?.action, stop?.action]).toEqual(['data.snapshot', 'instance.stop']);
    expect(snapshot?.title).toBe(
      'Snapshot of the data of web@host-b, paused meanwhile; before it freeze 2.0; behind it thaw',
    );
    expect(snapshot?.input).toMatchObject({
      consistency: 'paused',
      hooks: { before: { command: ['freeze', '2.0'] }, after: { command: ['thaw'] } },
    });
    expect(plan.warnings.join()).toContain('stands still (docker pause)');
  });

  it('gives what ends a container, or waits until it has ended, the time that its document says', () => {
    const slow = given.web({ stopTimeoutSeconds: 600 });
    const plan = planOf(
      given.input({ application: given.stored(given.application([slow, given.db()])) }),
    );
    const timeOf = (action: string, component: string): number | undefined =>
      [
        ...(plan.hops[0]?.compensation ?? []),
        ...stepsOf(plan, 'h1/w1/db@host-a'),
        ...stepsOf(plan, 'h1/w2/web@host-a'),
      ].find((step) => step.action === action && step.component === component)?.timeoutSeconds;
    for (const action of ['instance.stop', 'instance.stop-new', 'instance.restore-old'])
      expect([action, timeOf(action, 'web'), timeOf(action, 'db')]).toEqual([action, 660, 300]);
  });

  it('verifies the old version by its own release’s checks, and not at all what did not run', () => {
    const old = given.release('1.0', {
      components: {
        web: { image: 'web:1.0', checks: [{ type: 'tcp', host: '127.0.0.1', port: 9 }] },
        db: { image: 'db:1.0' },
      },
    });
    const base = given.input({ releases: [given.stored(old), given.stored(given.release('2.0'))] });
    const compensation = planOf(base).hops[0]?.compensation ?? [];
    const check = compensation.find(({ id }) => id === 'h1/back/web@host-b/4-check-old');
    expect(check?.input).toMatchObject({ check: { type: 'tcp' } });

    const [hostA, hostB] = base.observations;
    const stopped = {
      ...hostB,
      containers: hostB?.containers.map((one) => ({ ...one, running: false })),
    };
    const plan = planOf({
      ...base,
      observations: [hostA, stopped] as PlanningInput['observations'],
    });
    const back = (plan.hops[0]?.compensation ?? []).filter(({ id }) => id.includes('web@host-b'));
    expect(back.map(({ action }) => action)).not.toContain('instance.check');
    expect(back.find(({ action }) => action === 'instance.restore-old')?.input).toMatchObject({
      start: false,
    });
    expect(plan.warnings.join()).toContain('web@host-b does not run');
  });

  it('prepares each image once on each target, and checks every instance while baking within seconds', () => {
    const plan = planOf(given.input());
    expect(plan.prepare.map(({ id }) => id)).toEqual([
      'prepare/host-a/image-1',
      'prepare/host-b/image-1',
      'prepare/host-a/image-2',
      'prepare/host-a/db-unchanged',
      'prepare/host-a/web-unchanged',
      'prepare/host-b/web-unchanged',
    ]);
    expect(plan.bakeChecks.map(({ component, target }) => `${component}@${target.name}`)).toEqual([
      'db@host-a',
      'web@host-a',
      'web@host-b',
    ]);
    expect(plan.bakeChecks[0]?.input).toMatchObject({
      check: { deadlineSeconds: 10, stableSeconds: 0 },
    });
    expect(plan.finalize.map(({ lane }) => lane)).toEqual([
      'h1/w1/db@host-a',
      'h1/w2/web@host-a',
      'h1/w2/web@host-b',
    ]);
  });

  it('leaves out what runs the image already, and refuses when that is all', () => {
    const base = given.input();
    const [hostA] = base.observations;
    const images = hostA?.images ?? [];
    const newB = given.observed(
      'host-b',
      [given.container('web', 'web:2.0'), given.absent('web-liftlock-old')],
      images,
    );
    const plan = planOf({ ...base, observations: [hostA, newB] as PlanningInput['observations'] });
    expect(plan.hops[0]?.waves[1]?.lanes.map(({ id }) => id)).toEqual(['h1/w2/web@host-a']);
    expect(plan.changes.find(({ instance }) => instance === 'web@host-b')).toMatchObject({
      updated: false,
      from: '2.0',
      to: '2.0',
    });
    expect(plan.targets.map(({ name }) => name)).toEqual(['host-a']);

    const newA = given.observed(
      'host-a',
      [given.container('web', 'web:2.0'), given.container('shop-db', 'db:2.0')],
      images,
    );
    const refused = refusalOf({ ...base, observations: [newA, newB] });
    expect(refused.code).toBe('unplannable');
    expect(refused.message).toContain('version 2.0) already');
  });

  it('lets the request’s policy win over the environment’s, and that one over the defaults', () => {
    const request = upgradeRequest.parse({
      environment: 'prod',
      application: 'shop',
      release: 'shop-2.0',
      policy: { bakeSeconds: 7 },
    });
    const environment = given.stored(
      given.environment({ policy: { bakeSeconds: 1, scope: 'wave' } }),
    );
    expect(planOf(given.input({ request, environment })).policy).toEqual({
      scope: 'wave',
      maxFailures: 0,
      rollbackTo: 'origin',
      approval: 'none',
      bakeSeconds: 7,
      bakeCheckEverySeconds: 5,
    });
  });

  it('refuses what runs beside a version that it does not accept, and names the moment and the pair', () => {
    const asking = (requires: Record<string, string>) =>
      given.input({
        application: given.stored(given.application([given.web(), given.db({ requires })])),
      });
    expect(refusalOf(asking({ web: '<2' })).message).toContain(
      'during hop 1 (1.0 --> 2.0), wave 2 of 2, db 2.0 requires web <2, and web 2.0 runs',
    );
    expect(planOf(asking({ web: '>=1 <3' })).hops).toHaveLength(1);
  });

  it('shows a component by its own version, where the release is a bundle', () => {
    const bundle = (version: string, web: string) =>
      given.stored(
        given.release(version, {
          components: {
            web: { image: `web:${version}`, version: web },
            db: { image: `db:${version}` },
          },
        }),
      );
    const releases = [bundle('1.0', '1.24.2'), bundle('2.0', '1.24.3')];
    const plan = planOf(given.input({ releases, release: releases[1] }));
    expect(plan.changes.map(({ component, from, to }) => [component, from, to])).toEqual([
      ['web', '1.24.2', '1.24.3'],
      ['web', '1.24.2', '1.24.3'],
      ['db', '1.0', '2.0'],
    ]);
    expect([plan.from, plan.to]).toEqual(['1.0', '2.0']);
  });

  it('names what the new version writes and nobody takes back', () => {
    const noData = given.stored(given.application([given.web({ data: undefined }), given.db()]));
    expect(planOf(given.input({ application: noData })).warnings.join()).toContain(
      'web@host-a writes to /data',
    );
  });

  it('refuses a step that no message could carry', () => {
    const components = {
      web: { image: 'web:2.0', env: { LONG: 'x'.repeat(70_000) } },
      db: { image: 'db:2.0' },
    };
    const refused = refusalOf(
      given.input({ release: given.stored(given.release('2.0', { components })) }),
    );
    expect(refused.message).toContain('KiB, and a step may have 64');
    expect(refused.issues?.[0]?.pointer).toBe('/releases/shop-2.0/spec/components/web');
  });
});
