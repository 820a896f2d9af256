import { describe, expect, it } from 'vitest';
import type { Plan } from '#contracts';
import { PlanIndex } from '#saga';
import { computePlan, type PlanningInput } from './compute-plan.js';
import * as given from '../../test/support/planning-fixture.js';

type Files = NonNullable<Parameters<typeof given.web>[0]>['files'];
const FILE = { path: '/data/server.cfg', content: 'password=${LIFTLOCK_SECRET_ADMIN}' };

const withFiles = (files: Files, more: Partial<PlanningInput> = {}): PlanningInput =>
  given.input({
    application: given.stored(given.application([given.web({ files }), given.db()])),
    ...more,
  });

function planOf(input: PlanningInput): Plan {
  const planned = computePlan(input);
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

describe('files for the time of an upgrade', () => {
  it('are one bracket for each lane, around what comes after the snapshot, and looked at before anything is touched', () => {
    const plan = planOf(withFiles([FILE, { path: '/data/other', content: '' }]));
    const at = 'h1/w2/web@host-a';
    expect(plan.brackets.map(({ id }) => id)).toEqual([`${at}/files`, 'h1/w2/web@host-b/files']);
    expect(plan.brackets[0]).toMatchObject({
      lanes: [at],
      beforeStep: `${at}/3-replace`,
      duringRollback: false,
      acquire: { action: 'file.write', app: 'executor', target: { name: 'host-a' } },
      release: {
        action: 'file.remove',
        input: { container: 'web', paths: ['/data/server.cfg', '/data/other'] },
      },
    });
    expect(plan.prepare.map(({ action, id }) => [action, id])).toContainEqual([
      'file.prepare',
      'prepare/host-b/web-files',
    ]);
    expect(() => PlanIndex.of(plan)).not.toThrow();
  });

  it('stand in the plan with the reference, private by default', () => {
    const [bracket] = planOf(withFiles([FILE])).brackets;
    expect(bracket?.acquire.input).toMatchObject({
      files: [{ ...FILE, mode: '0600', uid: 0, gid: 0 }],
    });
  });

  it('are no bracket where there are none', () => {
    const plan = planOf(given.input());
    expect(plan.brackets).toEqual([]);
    expect(plan.prepare.some(({ action }) => action === 'file.prepare')).toBe(false);
  });

  it.each([
    ['in the container’s own file system', '/etc/server.cfg', 'on no volume'],
    ['on a tmpfs within a volume', '/data/tmp/server.cfg', 'on no volume'],
    ['at a mount point itself', '/data', 'itself a mount point'],
  ])('are refused %s, by name, with where they could be', (_where, path, words) => {
    const containers = [
      given.container('web', 'web:1.0', {
        mounts: [
          { source: 'web-data', destination: '/data', kind: 'volume', writable: true },
          { source: '', destination: '/data/tmp', kind: 'other', writable: true },
        ],
      }),
      given.absent('web-liftlock-old'),
    ];
    const images = ['web:2.0', 'web:1.0'].map(given.present);
    const web = given.web({
      ...{ dependsOn: [], targets: ['host-a'] },
      files: [{ ...FILE, path }],
    });
    const release = given.release('2.0', { components: { web: { image: 'web:2.0' } } });
    const planned = computePlan(
      given.input({
        application: given.stored(given.application([web])),
        release: given.stored(release),
        releases: [given.stored(release)],
        observations: [given.observed('host-a', containers, images)],
      }),
    );
    if ('ok' in planned) throw new Error('it was planned');
    const { code, issues } = planned.refused;
    expect(code).toBe('unplannable');
    expect(issues?.map(({ message }) => message)).toEqual([
      expect.stringContaining(`the file ${path} `) as string,
    ]);
    expect(issues?.[0]?.message).toContain(words);
    expect(issues?.[0]?.message).toContain('below one of /data');
  });
});
