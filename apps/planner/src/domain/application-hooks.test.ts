import { describe, expect, it } from 'vitest';
import { applicationDocument, issuesWithin, type Plan } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan } from './compute-plan.js';

const http = (name: string, more: object = {}) => ({
  ...{ name, type: 'http', url: `http://ops.example.com/${name}`, undo: 'none', ...more },
});
const command = (name: string, instance: object, more: object = {}) => ({
  ...{ name, type: 'command', command: ['shopctl', name], instance, undo: 'none', ...more },
});
const job = (name: string, instance: object, more: object = {}) => ({
  ...{ name, type: 'job', command: ['run'], instance, undo: 'none', ...more },
});
const applicationWith = (hooks: object) => {
  const { spec, ...rest } = given.application();
  return applicationDocument.parse({ ...rest, spec: { ...spec, hooks } });
};
const planOf = (hooks: object): Plan => {
  const application = given.stored(applicationWith(hooks));
  const planned = computePlan(given.input({ application }));
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
};
const issuesOf = (hooks: object): string[] =>
  issuesWithin(applicationWith(hooks)).map(({ pointer, message }) => `${pointer}: ${message}`);

describe('hooks of a whole application', () => {
  it('are steps of the plan beside its hops, with the way back in its own order', () => {
    const undo = (path: string) => ({ type: 'http', url: `http://ops.example.com/${path}` });
    const plan = planOf({
      before: [
        http('page', { undo: undo('unpage') }),
        command('drain', { component: 'db' }, { undo: undo('undrain') }),
      ],
      after: [http('publish', { undo: undo('unpublish'), method: 'PUT', retries: 2 })],
      onRollback: [{ name: 'tell', type: 'http', url: 'http://ops.example.com/tell' }],
    });
    const { before, after, undoAfter, onceBack } = plan.applicationHooks ?? {};
    expect(before).toMatchObject([
      { id: 'application/before-page', action: 'hook.http', undo: 'inverse', repeatable: false },
      {
        ...{ id: 'application/before-drain', action: 'hook.command', component: 'db' },
        target: { name: 'host-a' },
        input: { container: 'shop-db', work: { command: ['shopctl', 'drain'] } },
      },
    ]);
    expect(after).toMatchObject([
      { id: 'application/after-publish', repeatable: true, retry: { maxAttempts: 3 } },
    ]);
    expect(undoAfter).toMatchObject([
      { id: 'application/undo-after-publish', when: ['application/after-publish'] },
    ]);
    expect(onceBack?.map(({ id }) => id)).toEqual([
      'application/undo-before-drain',
      'application/undo-before-page',
      'application/on-rollback-tell',
    ]);
    expect(onceBack?.at(-1)?.when).toBeUndefined();
  });

  it('know the versions of the upgrade', () => {
    const body = '${LIFTLOCK_FROM_VERSION} to ${LIFTLOCK_TO_VERSION}';
    const plan = planOf({ before: [http('tell', { body })] });
    expect(plan.applicationHooks?.before[0]?.input).toMatchObject({ work: { body: '1.0 to 2.0' } });
  });

  it('that are none leave the plan as it is, to the byte', () => {
    const without = computePlan(given.input({}));
    expect(planOf({ before: [] }).applicationHooks).toBeUndefined();
    expect('ok' in without && without.ok.applicationHooks).toBeUndefined();
  });

  it('a job is beside its instance, with the image to go to or its own, and what it left is removed on each way', () => {
    const work = { type: 'job', command: ['run'], instance: { component: 'db' } };
    const plan = planOf({
      before: [
        job('mark', { component: 'db' }, { undo: work }),
        job('look', { component: 'web', target: 'host-b' }, { image: 'web:1.0' }),
      ],
      after: [job('migrate', { component: 'db' }, { volumesFrom: true, undo: work })],
      onRollback: [{ ...work, name: 'sweep' }],
    });
    const { before, after, undoAfter, onceBack } = plan.applicationHooks ?? {};
    expect(before).toMatchObject([
      { id: 'application/before-mark', action: 'hook.job', undo: 'inverse', component: 'db' },
      {
        ...{ id: 'application/before-look', target: { name: 'host-b' } },
        input: { container: 'web', image: { reference: 'web:1.0', id: given.idOf('web:1.0') } },
      },
    ]);
    expect(after?.[0]?.input).toMatchObject({
      ...{ container: 'shop-db', image: { id: given.idOf('db:2.0') } },
      work: { command: ['run'], volumesFrom: true },
    });
    const [mark, look] = ['application/before-mark', 'application/before-look'];
    expect(undoAfter).toMatchObject([
      {
        id: 'application/remove-jobs-db@host-a',
        ...{ action: 'hook.remove-jobs', when: [mark, 'application/after-migrate'] },
        input: { container: 'shop-db', steps: [mark, 'application/after-migrate'] },
      },
      { id: 'application/remove-jobs-web@host-b', when: [look] },
      { id: 'application/undo-after-migrate', action: 'hook.job' },
      {
        id: 'application/remove-undo-jobs-db@host-a',
        ...{ when: ['application/after-migrate'] },
        input: { steps: ['application/undo-after-migrate'] },
      },
    ]);
    expect(onceBack?.map(({ id }) => id)).toEqual([
      'application/undo-before-mark',
      'application/on-rollback-sweep',
    ]);
    const left = plan.finalize.filter(({ lane }) => lane === undefined);
    expect(left).toMatchObject([
      {
        id: 'finalize/application/db@host-a-remove-jobs',
        when: [
          ...[mark, 'application/after-migrate', 'application/undo-after-migrate'],
          ...['application/undo-before-mark', 'application/on-rollback-sweep'],
        ],
      },
      { id: 'finalize/application/web@host-b-remove-jobs', when: [look] },
    ]);
    // one that is named is brought to where the job runs
    const brought = plan.prepare.filter(({ action }) => action === 'image.prepare');
    expect(brought.map(({ target, input }) => [target.name, input])).toContainEqual([
      'host-b',
      expect.objectContaining({ image: { reference: 'web:1.0', id: given.idOf('web:1.0') } }),
    ]);
  });

  it('a job behind the last instance runs beside what was upgraded only, and one before it beside what is there', () => {
    const work = { type: 'job', command: ['run'], instance: { component: 'db' } };
    const { before, after, undoAfter } =
      planOf({
        before: [job('mark', { component: 'db' })],
        after: [job('migrate', { component: 'db' }, { undo: work })],
      }).applicationHooks ?? {};
    expect(after?.[0]?.input).toMatchObject({ imageId: given.idOf('db:2.0') });
    expect(before?.[0]?.input).not.toHaveProperty('imageId');
    const undo = undoAfter?.find(({ action }) => action === 'hook.job');
    expect(undo?.input).not.toHaveProperty('imageId');
  });

  it('a job whose changes no restore takes back is warned of, unless it has an undo', () => {
    const on = (instance: object, more: object = {}): string[] => {
      const hook = job('migrate', instance, { volumesFrom: true, ...more });
      return planOf({ after: [hook] }).warnings.filter((one) => one.startsWith('migrate of shop'));
    };
    const db = { component: 'db' };
    expect(on(db)).toEqual([
      expect.stringContaining(
        'db@host-a, of which no snapshot is taken (its document names no data)',
      ),
    ]);
    expect(on(db, { volumesFrom: false })).toEqual([]);
    expect(on({ component: 'web', target: 'host-b' })).toEqual([]);
    expect(on(db, { undo: { type: 'job', command: ['back'], instance: db } })).toEqual([]);
  });

  it('a job beside what is not upgraded has the image that runs there', () => {
    const [first, second] = given.input().observations;
    if (first === undefined || second === undefined) throw new Error('nothing was observed');
    const containers = first.containers.map((one) =>
      one.container === 'shop-db'
        ? { ...one, imageId: given.idOf('db:2.0'), imageReference: 'db:2.0' }
        : one,
    );
    const application = given.stored(applicationWith({ after: [job('a', { component: 'db' })] }));
    const observations = [{ ...first, containers }, second];
    const planned = computePlan(given.input({ application, observations }));
    if ('refused' in planned) throw planned.refused;
    const input = planned.ok.applicationHooks?.after[0]?.input;
    expect(input).toMatchObject({ image: { reference: 'db:2.0', id: given.idOf('db:2.0') } });
    expect(input).not.toHaveProperty('imageId');
  });

  it('an image of a job that is nowhere is refused, and one that a registry knows is asked for', () => {
    const refused = (image: string): string => {
      const hooks = { before: [job('a', { component: 'db' }, { image })] };
      const application = given.stored(applicationWith(hooks));
      const planned = computePlan(given.input({ application }));
      return 'refused' in planned ? planned.refused.message : 'planned';
    };
    expect(refused('tool:1')).toContain('image tool:1 is not on host-a');
    expect(refused(`tool@sha256:${'a'.repeat(64)}`)).toBe('planned');
  });

  it('without a way back are warned of', () => {
    const plan = planOf({ before: [http('seal', { undo: undefined, irreversible: true })] });
    expect(plan.applicationHooks?.before).toMatchObject([{ undo: 'irreversible' }]);
    expect(plan.warnings).toContain(
      'seal of shop cannot be undone: once it has begun, the upgrade only goes forward',
    );
  });

  it('a command says in which container it runs, where there is more than one', () => {
    expect(issuesOf({ before: [command('a', { component: 'web' })] })).toEqual([
      '/spec/hooks/before/0/instance/target: web runs on host-a, host-b: name one of these',
    ]);
    const elsewhere = { component: 'db', target: 'host-b' };
    const undo = { type: 'command', command: ['x'], instance: { component: 'cache' } };
    expect(issuesOf({ after: [command('a', elsewhere, { undo })] })).toEqual([
      '/spec/hooks/after/0/instance/target: db does not run on host-b',
      '/spec/hooks/after/0/undo/instance/component: there is no component cache',
    ]);
    const { undo: _undo, ...back } = command('a', { component: 'db' });
    expect(issuesOf({ onRollback: [back] })).toEqual([]);
  });

  it('a command before the first instance needs a container that runs; behind the last one the new one does', () => {
    const [first, second] = given.input().observations;
    if (first === undefined || second === undefined) throw new Error('nothing was observed');
    const containers = first.containers.map((one) =>
      one.container === 'shop-db' ? { ...one, running: false } : one,
    );
    const observations = [{ ...first, containers }, second];
    const refusalOf = (hooks: object): string => {
      const application = given.stored(applicationWith(hooks));
      const planned = computePlan(given.input({ application, observations }));
      return 'refused' in planned ? planned.refused.message : 'planned';
    };
    const drain = command('drain', { component: 'db' });
    expect(refusalOf({ before: [drain] })).toContain(
      'the hook drain is a command in db@host-a, which does not run',
    );
    expect(refusalOf({ after: [drain] })).toBe('planned');
  });

  describe('an edit', () => {
    const mounts = [
      { source: '/srv/db', destination: '/etc/db', kind: 'bind' as const, writable: true },
      { source: 'shop', destination: '/data', kind: 'volume' as const, writable: true },
      { source: 'shop', destination: '/other', kind: 'volume' as const, writable: true },
    ];
    const edit = (name: string, more: object = {}) => ({
      ...{ name, type: 'edit', path: '/etc/db/db.conf', instance: { component: 'db' } },
      ...{ replace: [{ line: 'a=1', with: 'a=${LIFTLOCK_TO_VERSION}' }], ...more },
    });
    const plannedWith = (hooks: object, data?: object): ReturnType<typeof computePlan> => {
      const { spec, ...rest } = given.application([given.web(), { ...given.db(), ...data }]);
      const document = applicationDocument.parse({ ...rest, spec: { ...spec, hooks } });
      const { observations } = given.input();
      return computePlan(
        given.input({
          application: given.stored(document),
          observations: observations.map((one) => ({
            ...one,
            containers: one.containers.map((seen) =>
              seen.container === 'shop-db' ? { ...seen, mounts } : seen,
            ),
          })),
        }),
      );
    };
    const refusalOf = (...how: Parameters<typeof plannedWith>): string => {
      const planned = plannedWith(...how);
      return 'refused' in planned ? planned.refused.message : 'planned';
    };

    it('is put back before any instance goes back, and forgotten on every end', () => {
      const undo = { type: 'http', url: 'http://ops.example.com/unpage' };
      const planned = plannedWith({
        before: [edit('one'), http('page', { undo }), edit('two')],
        after: [edit('three')],
      });
      if ('refused' in planned) throw planned.refused;
      const { before, undoAfter, onceBack } = planned.ok.applicationHooks ?? {};
      expect(before?.[0]).toMatchObject({
        ...{ action: 'hook.edit', repeatable: true, undo: 'inverse' },
        input: { container: 'shop-db', recorded: true },
      });
      expect(before?.[0]?.input).not.toHaveProperty('containerId');
      expect(undoAfter?.map(({ id }) => id)).toEqual([
        ...['application/undo-after-three', 'application/undo-before-two'],
        'application/undo-before-one',
      ]);
      expect(undoAfter?.at(-1)).toMatchObject({
        when: ['application/before-one'],
        input: { undoes: 'application/before-one', work: { replace: [{ line: 'a=2.0' }] } },
      });
      expect(onceBack?.map(({ id }) => id)).toEqual(['application/undo-before-page']);
      const steps = ['one', 'two'].map((name) => `application/before-${name}`);
      expect(
        planned.ok.finalize.find(({ action }) => action === 'hook.forget-edits'),
      ).toMatchObject({
        id: 'finalize/application/db@host-a-forget-edits',
        ...{ when: [...steps, 'application/after-three'] },
        input: { steps: [...steps, 'application/after-three'] },
      });
    });

    it('of what the restore would bring back edited is refused, by whichever path', () => {
      const data = { data: { paths: ['/data/files'], consistency: 'stopped' } };
      const [own, other] = ['/data/files/a.conf', '/other/files/a.conf'];
      for (const path of [own, other])
        expect(refusalOf({ before: [edit('one', { path })] }, data)).toContain(
          `the hook one edits ${path}, which is among the data of db@host-a`,
        );
      expect(refusalOf({ before: [edit('one', { path: '/data/a.conf' })] }, data)).toBe('planned');
      expect(refusalOf({ before: [edit('one', { path: own, undo: 'none' })] }, data)).toBe(
        'planned',
      );
      expect(refusalOf({ after: [edit('one', { path: own })] }, data)).toBe('planned');
    });

    it('of what is on no mount is refused', () => {
      expect(refusalOf({ onRollback: [{ ...edit('one', { path: '/srv/a' }) }] })).toContain(
        'the hook one edits /srv/a of db@host-a, which is on no volume',
      );
    });
  });
});
