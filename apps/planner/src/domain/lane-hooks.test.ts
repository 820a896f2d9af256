import { describe, expect, it } from 'vitest';
import { hooks as hooksSchema, type CompensationStep, type Plan } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan } from './compute-plan.js';

const JOB = 'tools:1';
const HOOKS = {
  before: [
    {
      ...{ name: 'drain', type: 'http', url: 'http://lb/drain', retries: 2, timeoutSeconds: 7 },
      undo: { type: 'http', url: 'http://lb/enable', method: 'PUT' },
    },
    { name: 'flush', type: 'command', command: ['flush'], undo: 'none' },
  ],
  after: [
    {
      ...{ name: 'migrate', type: 'job', image: JOB, volumesFrom: true },
      env: { WAS: '${LIFTLOCK_FROM_VERSION}', PASSWORD: '${LIFTLOCK_SECRET_DB}' },
      undo: { type: 'command', command: ['unmigrate', '${LIFTLOCK_TO_VERSION}'] },
    },
    { name: 'warm', type: 'command', command: ['warm'], undo: { type: 'job', command: ['cool'] } },
  ],
  onRollback: [{ name: 'tell', type: 'http', url: 'http://chat/', body: 'back' }],
} as const;

const MOUNTS = [
  { source: 'data', destination: '/data', kind: 'volume' as 'volume' | 'bind', writable: true },
  ...[
    { source: '/srv/web', destination: '/etc/web', kind: 'bind' as const, writable: false },
    { source: '/srv/one', destination: '/etc/web/one', kind: 'bind' as const, writable: true },
  ],
];
const edit = (name: string, more: object = {}) => ({
  ...{ name, type: 'edit', path: '/etc/web/settings.conf' },
  ...{
    replace: [{ line: 'version=${LIFTLOCK_FROM_VERSION}', with: 'version=${LIFTLOCK_TO_VERSION}' }],
  },
  ...more,
});

const withHooks = (hooks: unknown, more: { running?: boolean; mounts?: typeof MOUNTS } = {}) => {
  const web = { ...given.web({ targets: ['host-b'] }), hooks: hooksSchema.parse(hooks) };
  const images = ['web:2.0', 'db:2.0', 'web:1.0', 'db:1.0', JOB].map(given.present);
  return computePlan(
    given.input({
      application: given.stored(given.application([web, given.db()])),
      observations: [
        given.observed('host-a', [given.container('shop-db', 'db:1.0')], images),
        given.observed('host-b', [given.container('web', 'web:1.0', more)], images),
      ],
    }),
  );
};

function planOf(
  hooks: unknown = HOOKS,
  more: { running?: boolean; mounts?: typeof MOUNTS } = {},
): Plan {
  const planned = withHooks(hooks, more);
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

const laneOf = (plan: Plan) => {
  const found = plan.hops[0]?.waves
    .flatMap(({ lanes }) => lanes)
    .find(({ component }) => component === 'web');
  if (found === undefined) throw new Error('no lane');
  return found;
};
const short = (id: string): string => id.split('/').at(-1) ?? '';
const backOf = (plan: Plan): CompensationStep[] =>
  plan.hops[0]?.compensation.filter(({ component }) => component === 'web') ?? [];

describe('hooks', () => {
  it('stand before the stop and after the last check, in their order, and move no other step’s name', () => {
    const ids = laneOf(planOf()).steps.map(({ id }) => short(id));
    const plain = laneOf(planOf({})).steps.map(({ id }) => short(id));
    expect(ids).toEqual([
      ...['before-drain', 'before-flush'],
      ...plain,
      ...['after-migrate', 'after-warm'],
    ]);
  });

  it('have the document’s timeout, tries and undo, and run again in doubt only where that is said or idempotent', () => {
    const { steps } = laneOf(planOf());
    const of = (name: string) => steps.find(({ id }) => short(id) === name);
    expect(of('before-drain')).toMatchObject({
      ...{ timeoutSeconds: 7, undo: 'inverse', observable: false, repeatable: false },
      retry: { maxAttempts: 3 },
    });
    expect(of('before-flush')).toMatchObject({ undo: 'none_needed', retry: { maxAttempts: 1 } });
    expect(of('after-migrate')).toMatchObject({ observable: true, repeatable: false });
    const undo = backOf(planOf()).find(({ id }) => id.endsWith('undo-drain'));
    expect(undo).toMatchObject({ repeatable: true, undo: 'none_needed' });
  });

  it('are given the versions when planned, and no secret', () => {
    const plan = planOf();
    const migrate = laneOf(plan).steps.find(({ id }) => short(id) === 'after-migrate');
    expect(migrate?.input['work']).toMatchObject({
      env: { WAS: '1.0', PASSWORD: '${LIFTLOCK_SECRET_DB}' },
    });
    const undo = backOf(plan).find(({ id }) => id.endsWith('undo-migrate'));
    expect(undo?.input).toMatchObject({
      work: { command: ['unmigrate', '2.0'] },
      onlyWhileRunning: true,
    });
  });

  it('a job’s image is pinned and brought before anything is touched; without one it is the new version’s', () => {
    const plan = planOf();
    const brought = plan.prepare.filter(({ action }) => action === 'image.prepare');
    expect(brought.map(({ input }) => input['image'])).toContainEqual({
      ...{ reference: JOB, id: given.idOf(JOB) },
    });
    const migrate = laneOf(plan).steps.find(({ id }) => short(id) === 'after-migrate');
    expect(migrate?.input).toMatchObject({
      ...{ image: { id: given.idOf(JOB) }, imageId: given.idOf('web:2.0') },
    });
    const cool = backOf(plan).find(({ id }) => id.endsWith('undo-warm'));
    expect(cool?.input).toMatchObject({ image: { id: given.idOf('web:2.0') } });
  });

  it('on the way back: what was after is undone before the new one stops, what was before when the old one is well', () => {
    const back = backOf(planOf());
    expect(back.map(({ id }) => short(id).replace(/^\d+-/, ''))).toEqual([
      ...['remove-jobs', 'undo-warm', 'undo-migrate', 'stop-new', 'restore', 'restore-old'],
      ...['check-old', 'undo-drain', 'on-rollback-tell', 'remove-back-jobs', 'remove-new'],
    ]);
    // reachable by `after` alone, whatever the order of the list
    const before = (name: string): string[] => {
      const step = back.find(({ id }) => short(id).replace(/^\d+-/, '') === name);
      return (step?.after ?? []).flatMap((id) => {
        const other = short(id).replace(/^\d+-/, '');
        return [other, ...before(other)];
      });
    };
    expect(before('stop-new')).toEqual(
      expect.arrayContaining(['remove-jobs', 'undo-warm', 'undo-migrate']),
    );
    expect(before('restore')).toContain('remove-jobs');
    expect(before('undo-drain')).toEqual(expect.arrayContaining(['check-old', 'restore-old']));
    expect(before('on-rollback-tell')).toContain('undo-drain');
    const tell = back.find(({ id }) => id.endsWith('on-rollback-tell'));
    expect(tell?.when.map(short)).toEqual(['1-stop', '3-replace']);
    const undo = back.find(({ id }) => id.endsWith('undo-drain'));
    expect(undo?.when.map(short)).toEqual(['before-drain']);
  });

  it('jobs that ended well are removed when all is over', () => {
    expect(planOf().finalize.find(({ action }) => action === 'hook.remove-jobs')).toMatchObject({
      ...{ lane: laneOf(planOf()).id, input: { steps: [`${laneOf(planOf()).id}/after-migrate`] } },
    });
    expect(planOf({}).finalize.some(({ action }) => action === 'hook.remove-jobs')).toBe(false);
  });

  it('jobs of the way back are removed with it: they hold volumes and images, and nobody else would', () => {
    const clean = { name: 'clean', type: 'job', command: ['clean'] } as const;
    const back = backOf(planOf({ ...HOOKS, onRollback: [clean] }));
    const of = (name: string) => back.find(({ id }) => id.endsWith(name));
    const remove = of('remove-back-jobs');
    expect(remove?.input['steps']).toEqual([of('undo-warm')?.id, of('on-rollback-clean')?.id]);
    expect(remove?.when.map(short)).toEqual(['after-warm', '1-stop', '3-replace']);
    expect(remove?.after).toEqual(
      expect.arrayContaining([of('undo-drain')?.id, of('on-rollback-clean')?.id]),
    );
    expect(of('remove-new')?.after).toContain(remove?.id);
    expect(backOf(planOf({})).some(({ action }) => action === 'hook.remove-jobs')).toBe(false);
  });

  it('one that cannot be undone is warned of, and marked as such', () => {
    const seal = { name: 'seal', type: 'command', command: ['seal'], irreversible: true };
    const plan = planOf({ after: [seal] });
    expect(plan.warnings).toContain(
      'seal of web cannot be undone: once it has begun, the upgrade only goes forward',
    );
    expect(laneOf(plan).steps.at(-1)).toMatchObject({ undo: 'irreversible' });
  });

  it('a command in what does not run is refused when planned', () => {
    const planned = withHooks(HOOKS, { running: false });
    expect('refused' in planned && planned.refused.message).toContain(
      'the hook flush is a command in web@host-b, which does not run',
    );
  });
});

describe('an edit', () => {
  const edits = {
    before: [edit('raise'), HOOKS.before[0], edit('once', { undo: 'none' })],
    after: [edit('publish')],
    onRollback: [edit('note')],
  };
  const short2 = (id: string): string => short(id).replace(/^\d+-/, '');

  it('of before is put back between the restore and the start of the old version, others when that is well', () => {
    const plan = planOf(edits, { mounts: MOUNTS });
    const back = backOf(plan);
    expect(back.map(({ id }) => short2(id))).toEqual([
      ...['undo-publish', 'stop-new', 'restore', 'undo-raise', 'restore-old', 'check-old'],
      ...['undo-drain', 'on-rollback-note', 'remove-new'],
    ]);
    const of = (name: string) => back.find(({ id }) => short2(id) === name);
    expect(of('undo-raise')?.after).toEqual(
      expect.arrayContaining([of('stop-new')?.id, of('restore')?.id]),
    );
    expect(of('restore-old')?.after).toContain(of('undo-raise')?.id);
    // its hook may have begun where nothing was stopped yet
    expect(of('undo-raise')?.when.map(short)).toEqual(['before-raise']);
    expect(of('undo-raise')).toMatchObject({ destinationOnly: false, undo: 'none_needed' });
  });

  it('says what it replaces, is written down where it is put back, and may always be made again', () => {
    const plan = planOf(edits, { mounts: MOUNTS });
    const [raise] = laneOf(plan).steps;
    expect(raise?.title).toContain('raise: edit /etc/web/settings.conf: version=${LIFTLOCK_FROM');
    expect(raise).toMatchObject({
      ...{ action: 'hook.edit', undo: 'inverse', observable: true, repeatable: true },
      input: {
        ...{ container: 'web', containerId: given.container('web', 'web:1.0').containerId },
        ...{ recorded: true, work: { replace: [{ line: 'version=1.0', with: 'version=2.0' }] } },
      },
    });
    const inputs = laneOf(plan).steps.map(({ id, input }) => [short(id), input['recorded']]);
    expect(inputs).toContainEqual(['before-once', false]);
    const undo = backOf(plan).find(({ id }) => id.endsWith('undo-raise'));
    expect(undo?.input).toMatchObject({
      ...{ recorded: false, undoes: raise?.id },
      work: { replace: [{ line: 'version=2.0', with: 'version=1.0' }] },
    });
    const note = backOf(plan).find(({ id }) => id.endsWith('on-rollback-note'));
    expect(note?.input).toMatchObject({ recorded: false });
    expect(plan.finalize.find(({ action }) => action === 'hook.forget-edits')).toMatchObject({
      ...{ lane: laneOf(plan).id },
      input: { steps: [raise?.id, `${laneOf(plan).id}/after-publish`] },
    });
  });

  it.each([
    [
      '/srv/settings.conf',
      'on no volume and no folder of the host: edit a file below one of /data, /etc/web, /etc/web/one',
    ],
    ['/etc/web/one', 'is itself a mount point of the container'],
  ])(
    'of what no other container sees, or what cannot be replaced at once, is refused: %s',
    (path, why) => {
      for (const moment of ['before', 'after', 'onRollback']) {
        const planned = withHooks({ [moment]: [edit('raise', { path })] }, { mounts: MOUNTS });
        const message = 'refused' in planned ? planned.refused.message : 'planned';
        expect(message).toContain(`the hook raise edits ${path} of web@host-b, which`);
        expect(message).toContain(why);
      }
    },
  );
});

describe('a hook in a document', () => {
  const flush = { name: 'flush', type: 'command', command: ['flush'] };
  const told = (hooks: unknown): string =>
    hooksSchema
      .safeParse(hooks)
      .error?.issues.map(({ path, message }) => `${path.join('/')}: ${message}`)
      .join() ?? '';

  it.each([
    ['says nothing of its undo', [flush], 'must say how it is taken back'],
    ['says two things', [{ ...flush, undo: 'none', irreversible: true }], 'only one of them'],
    ['shows a secret', [{ ...flush, undo: 'none', command: ['a', '${LIFTLOCK_SECRET_A}'] }], 'env'],
    [
      'shows a secret in its address',
      [{ name: 'a', type: 'http', url: 'http://a/${LIFTLOCK_SECRET_A}', undo: 'none' }],
      'by a header',
    ],
    ['has a name twice', Array(2).fill({ ...flush, undo: 'none' }), 'names two hooks alike'],
    ['is of no kind', [{ ...flush, type: 'lambda', undo: 'none' }], 'before/0/type'],
  ])('that %s is refused', (_what, before, message) => {
    expect(told({ before })).toContain(message);
  });
});
