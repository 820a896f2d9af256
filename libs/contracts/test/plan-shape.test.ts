import { describe, expect, it } from 'vitest';
import {
  isRestOf,
  shapeDifferences,
  shapeDigestOf,
  shapeOf,
  type Plan,
  type Step,
} from '#contracts';

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;

interface Said {
  readonly environment?: string;
  readonly targets?: readonly string[];
  readonly image?: { readonly digest?: string; readonly id?: string };
  readonly versions?: readonly string[];
  readonly actions?: readonly string[];
  readonly component?: string;
  readonly release?: string;
}

function planOf(said: Said = {}): Plan {
  const { environment = 'prod', targets = ['host'], component = 'web' } = said;
  const { versions = ['1', '2'], image = { digest: `registry.example/web@${A}` } } = said;
  const actions = said.actions ?? ['instance.stop', 'instance.replace', 'instance.check'];
  const target = { name: 'host', driver: 'model', site: 'main', endpoint: '/x' } as const;
  const step = (id: string, action: string): Step => ({
    ...{ id, title: id, phase: 'execute', action, app: 'executor', target },
    input: action === 'instance.replace' ? { image: { reference: 'web:2', ...image } } : {},
    ...{ undo: 'none_needed', timeoutSeconds: 1, observable: true, repeatable: false },
    retry: { maxAttempts: 1, backoffSeconds: 1, maxBackoffSeconds: 1 },
  });
  const hops = versions.slice(1).map((to, index) => {
    const [id, from] = [`h${index + 1}`, versions[index] ?? ''];
    const lanes = targets.map((name) => ({
      ...{ id: `${id}/w1/${component}@${name}`, instance: `${component}@${name}`, component },
      ...{ target: name, from, to, steps: actions.map((one) => step(`${id}/${name}/${one}`, one)) },
    }));
    return { id, from, to, waves: [{ id: `${id}/w1`, parallelism: 1, lanes }], compensation: [] };
  });
  return {
    ...{ apiVersion: 'liftlock.dev/v1', kind: 'Plan', environment, application: 'shop' },
    ...{ release: said.release ?? 'shop-2', from: '1', to: '2' },
    policy: {
      ...{ scope: 'upgrade', maxFailures: 0, rollbackTo: 'origin', approval: 'none' },
      ...{ bakeSeconds: 0, bakeCheckEverySeconds: 1 },
    },
    documents: [{ kind: 'Environment', name: environment, generation: 1, digest: B }],
    ...{ targets: [target], observed: [], changes: [], warnings: [], prepare: [], hops },
    ...{ brackets: [], bakeChecks: [], finalize: [] },
  };
}

const shape = (said: Said = {}): string => shapeDigestOf(planOf(said));
const told = (said: Said, other: Said = {}): string[] =>
  shapeDifferences(shapeOf(planOf(said)), shapeOf(planOf(other)), 'staging');

describe('the shape of a plan', () => {
  it('is the same in another environment, on other and more targets, and by way of a mirror', () => {
    const staging = shape({ environment: 'staging', targets: ['one', 'two', 'three'] });
    expect(staging).toBe(shape());
    expect(shape({ image: { digest: `mirror.example:5000/x/web@${A}`, id: B } })).toBe(shape());
    expect(told({}, { environment: 'staging', targets: ['one', 'two'] })).toEqual([]);
  });

  it.each<[string, Said, string]>([
    [
      'another image',
      { image: { digest: `registry.example/web@${B}` } },
      `web 2 is ${B}, and in staging it was ${A}`,
    ],
    ['an image by its ID', { image: { id: B } }, `web 2 is ${B}, and in staging it was ${A}`],
    ['no image', { image: {} }, `web 2 is without an image, and in staging it was ${A}`],
    [
      'another version to begin with',
      { versions: ['0', '2'] },
      'web goes 0 --> 2, and in staging it went 1 --> 2',
    ],
    [
      'a hop between',
      { versions: ['1', '1.5', '2'] },
      'web goes 1 --> 1.5 --> 2, and in staging it went 1 --> 2',
    ],
    [
      'other steps',
      { actions: ['instance.stop', 'data.snapshot', 'instance.replace', 'instance.check'] },
      'step 2 of web to 2 is data.snapshot, and in staging it was instance.replace',
    ],
    [
      'a step less',
      { actions: ['instance.stop', 'instance.replace'] },
      'step 3 of web to 2 is none, and in staging it was instance.check',
    ],
    [
      'another component',
      { component: 'db' },
      'db goes 1 --> 2, and in staging it was not upgraded',
    ],
    ['another release', { release: 'shop-3' }, ''],
  ])('is another with %s, and it is said what differs', (_name, said, sentence) => {
    expect(shape(said)).not.toBe(shape());
    expect(told(said).slice(0, 1)).toEqual(sentence === '' ? [] : [sentence]);
  });

  it('of what is left of a plan is known as its rest: fewer instances, later hops, and nothing else', () => {
    const rest = (one: Said, whole: Said): boolean =>
      isRestOf(shapeOf(planOf(one)), shapeOf(planOf(whole)));
    const walked = { versions: ['1', '1.5', '2'] };
    expect(rest({}, {})).toBe(true);
    expect(rest({ versions: ['1.5', '2'] }, walked)).toBe(true);
    expect(rest({ versions: ['1', '1.5'] }, walked)).toBe(false);
    expect(rest({}, walked)).toBe(false);
    expect(rest(walked, {})).toBe(false);
    expect(rest({ component: 'db' }, {})).toBe(false);
    expect(rest({ component: 'constructor' }, {})).toBe(false);
    expect(rest({ image: { digest: `registry.example/web@${B}` } }, {})).toBe(false);
    expect(rest({ release: 'shop-3' }, {})).toBe(false);
  });

  it('says what only the other environment did', () => {
    const two = planOf();
    const more = planOf({ component: 'db' });
    const both = { ...two, hops: [...two.hops, ...more.hops] };
    expect(shapeDifferences(shapeOf(two), shapeOf(both), 'staging')).toEqual([
      'in staging db was upgraded, too',
    ]);
    const older = planOf({ versions: ['0', '2'], targets: ['old'] });
    const mixed = { ...two, hops: [...two.hops, ...older.hops] };
    expect(shapeDifferences(shapeOf(two), shapeOf(mixed), 'staging')).toEqual([
      'in staging web went 0 --> 2, too',
    ]);
  });
});
