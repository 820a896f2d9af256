import { describe, expect, it } from 'vitest';
import { trustRule, type ImageAnswer, type Plan } from '#contracts';
import { LiftlockError } from '#kernel';
import * as given from '../../test/support/planning-fixture.js';
import { attemptPlan, type PlanningInput } from './compute-plan.js';
import { imageKey } from './observe-questions.js';

const PEM = '-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----';
const digest = (of: string): string => given.idOf(`digest of ${of}`);

const environment = given.environment({
  mirror: {
    registry: 'mirror.example:5000',
    prefix: 'team',
    site: 'dmz',
    credentials: { username: 'env:LIFTLOCK_SECRET_USER', password: 'env:LIFTLOCK_SECRET_PASS' },
    sources: { 'docker.io': { bytesPerSecond: 1_000 }, 'other.example': { insecure: true } },
    platforms: ['linux/amd64'],
  },
  trust: [
    trustRule.parse({ images: 'docker.io/library/web', keys: [PEM] }),
    trustRule.parse({ images: 'quay.io/**', keys: [PEM] }),
  ],
});

const found = (image: string, more: object = {}): ImageAnswer => {
  const name = `docker.io/library/${image.replace(/:.*/, '')}`;
  const repository = `mirror.example:5000/team/${name.replace('docker.io/', '')}`;
  const target = { repository, tag: '2.0' };
  return {
    outcome: 'found',
    digest: digest(image),
    name,
    imageIds: [],
    target,
    warnings: [],
    ...more,
  };
};

function inputWith(answers: Readonly<Record<string, ImageAnswer>>): PlanningInput {
  const entries = Object.entries(answers).map(
    ([image, answer]) => [imageKey(image, undefined), answer] as const,
  );
  return {
    ...given.input({ environment: given.stored(environment) }),
    examined: new Map(entries),
  };
}

function planOf(input: PlanningInput): Plan {
  const { planned, unexamined } = attemptPlan(input);
  expect(unexamined).toEqual([]);
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

const both = { 'web:2.0': found('web:2.0'), 'db:2.0': found('db:2.0') };

describe('an environment with a mirror', () => {
  it('asks for what is on the way, and plans nothing before it is answered', () => {
    const { unexamined } = attemptPlan(inputWith({}));
    expect(unexamined).toEqual([{ reference: 'web:2.0' }, { reference: 'db:2.0' }]);
  });

  it('mirrors each image once, before any target pulls it from there by digest', () => {
    const { prepare } = planOf(inputWith(both));
    const mirroring = prepare.filter(({ action }) => action === 'image.mirror');
    expect(mirroring.map(({ title, target }) => [title, target.site, target.endpoint])).toEqual([
      ['Mirror web:2.0 to mirror.example:5000/team/library/web', 'dmz', 'mirror.example:5000/team'],
      ['Mirror db:2.0 to mirror.example:5000/team/library/db', 'dmz', 'mirror.example:5000/team'],
    ]);
    expect(mirroring[0]?.input).toMatchObject({
      digest: digest('web:2.0'),
      platforms: ['linux/amd64'],
      // what is of no use for this image stays where it is
      access: { 'docker.io': { bytesPerSecond: 1_000 }, 'mirror.example:5000': {} },
      trust: [{ images: 'docker.io/library/web' }],
    });
    expect(mirroring[0]?.input['access']).not.toHaveProperty('other.example');
    const pulling = prepare.filter(({ action }) => action === 'image.prepare');
    expect(pulling.map(({ target, after }) => [target.name, after])).toEqual([
      ['host-a', [mirroring[0]?.id]],
      ['host-b', [mirroring[0]?.id]],
      ['host-a', [mirroring[1]?.id]],
    ]);
    expect(pulling[0]?.input).toEqual({
      image: {
        reference: 'web:2.0',
        digest: `mirror.example:5000/team/library/web@${digest('web:2.0')}`,
      },
      credentials: environment.spec.mirror?.credentials,
    });
  });

  it('an image that is there under its digest or its ID is not replaced, whatever its tag says', () => {
    const plan = planOf(
      inputWith({ ...both, 'db:2.0': found('db:2.0', { imageIds: [given.idOf('db:1.0')] }) }),
    );
    expect(plan.changes.map(({ instance, updated }) => [instance, updated])).toContainEqual([
      'db@host-a',
      false,
    ]);
    expect(plan.prepare.filter(({ action }) => action === 'image.mirror')).toHaveLength(1);
  });

  it('what the mirror is not about is planned as without one', () => {
    const { prepare } = planOf(inputWith({ ...both, 'db:2.0': { outcome: 'left' } }));
    const db = prepare.find(({ input }) => JSON.stringify(input).includes('db:2.0'));
    expect(db).toMatchObject({ input: { image: { id: given.idOf('db:2.0') } } });
    expect(db).not.toHaveProperty('after');
  });

  it('an image that must not be taken is refused by its name, with what was found', () => {
    const error = new LiftlockError('image_untrusted', 'docker.io/library/web is not signed');
    const { planned } = attemptPlan(
      inputWith({
        ...both,
        'web:2.0': {
          outcome: 'refused',
          error: { ...error.toShape(), issues: undefined, details: undefined },
        },
      }),
    );
    const refused = 'refused' in planned ? planned.refused : undefined;
    expect(refused?.code).toBe('image_untrusted');
    expect(refused?.message).toContain('image web:2.0: docker.io/library/web is not signed');
  });
});
