import { describe, expect, it } from 'vitest';
import { issuesWithin, releaseDocument, type Plan } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan } from './compute-plan.js';
import { extentOf } from './instances.js';
import { driftOf } from './plan-drift.js';
import { Problems } from './problems.js';
import type { TagAnswers } from './tag-answers.js';
import { tagsToResolve } from './tags.js';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const OTHER = `sha256:${'cd'.repeat(32)}`;
const TAG = 'registry.example.com:5000/shop/web:2.0';

/** A bundle whose components have versions of their own, from lookup tables that know more than one. */
const bundle = (web: object = { image: 'web:2.0' }) =>
  given.release('2.0', {
    components: {},
    bundle: { web: '1.24.8', db: '7.1.0' },
    artifacts: {
      web: { '1.24.5': { image: 'web:1.0' }, '1.24.8': web },
      db: { '7.1.0': { image: 'db:2.0', env: { MODE: 'new' } } },
    },
  });

const inputWith = (document = bundle(), tags?: TagAnswers) => {
  const release = given.stored(document);
  const releases = [given.stored(given.release('1.0')), release];
  return given.input({ release, releases, ...(tags === undefined ? {} : { tags }) });
};

function planOf(input: Parameters<typeof computePlan>[0]): Plan {
  const planned = computePlan(input);
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

function refusalOf(input: Parameters<typeof computePlan>[0]): string {
  const planned = computePlan(input);
  return 'refused' in planned ? planned.refused.message : 'planned';
}

describe('a bundle', () => {
  it('expands to the versions of its components, and each to its artifact', () => {
    const plan = planOf(inputWith());
    expect(plan.to).toBe('2.0');
    expect(plan.changes.map(({ component, to }) => `${component} ${to}`)).toEqual([
      ...['web 1.24.8', 'web 1.24.8', 'db 7.1.0'],
    ]);
    const replaced = plan.hops[0]?.waves.flatMap(({ lanes }) =>
      lanes.flatMap(({ steps }) => steps.filter(({ action }) => action === 'instance.replace')),
    );
    expect(replaced?.map(({ input }) => input['env'])).toContainEqual({ MODE: 'new' });
  });

  it('a component that is there already is not updated, and is shown with its own version', () => {
    const images = ['web:2.0', 'db:2.0', 'web:1.0', 'db:1.0'].map(given.present);
    const containers = [given.container('web', 'web:2.0'), given.container('shop-db', 'db:1.0')];
    const observations = [
      given.observed('host-a', containers, images),
      given.observed('host-b', [given.container('web', 'web:1.0')], images),
    ];
    const plan = planOf({ ...inputWith(), observations });
    expect(plan.changes[0]).toMatchObject({ from: '1.24.8', to: '1.24.8', updated: false });
  });

  it('whose artifact is no image is refused where a container is to run it', () => {
    const files = { kubeadm: { url: 'https://example.com/kubeadm', sha256: 'ab'.repeat(32) } };
    expect(refusalOf(inputWith(bundle({ files })))).toContain(
      'has for web 1.24.8 no image but kubeadm, and a container needs one',
    );
  });

  it('what the tables lack, and what stands twice, is told with its place', () => {
    const document = given.release('2.0', {
      components: { web: { image: 'web@sha256:x', digest: DIGEST } },
      bundle: { web: '9', db: '9' },
      artifacts: { db: { '7': { digest: DIGEST }, '8': {} } },
    });
    expect(issuesWithin(document).map(({ pointer, message }) => `${pointer} ${message}`)).toEqual([
      '/spec/bundle/web web stands in components, too: take one of them away',
      '/spec/bundle/web there is no artifact for web 9: spec.artifacts.web has none',
      '/spec/bundle/db there is no artifact for db 9: spec.artifacts.db has 7, 8',
      '/spec/components/web/digest the image has a digest already: take one of them away',
      '/spec/artifacts/db/7/digest is of an image, and none is named',
      '/spec/artifacts/db/8 names nothing: neither an image nor files nor a chart',
    ]);
  });

  it('checksums of files are normalised as everywhere', () => {
    const kubelet = { url: 'https://example.com/kubelet', sha256: `sha256sum:${'AB'.repeat(32)}` };
    const document = releaseDocument.parse({ ...bundle({ files: { kubelet } }) });
    expect(document.spec.artifacts?.['web']?.['1.24.8']?.files?.['kubelet']?.sha256).toBe(DIGEST);
  });
});

describe('what an image is pinned by', () => {
  const prepared = (plan: Plan) =>
    plan.prepare.flatMap(({ input, action }) => (action === 'image.prepare' ? input['image'] : []));

  it('a digest beside the tag pins it, without a question to anybody', () => {
    const document = bundle({ image: TAG, digest: `sha256sum:${'ab'.repeat(32)}` });
    const plan = planOf(inputWith(releaseDocument.parse(document)));
    expect(prepared(plan)).toContainEqual({
      reference: `registry.example.com:5000/shop/web@${DIGEST}`,
      digest: `registry.example.com:5000/shop/web@${DIGEST}`,
    });
    expect(plan.warnings.join()).not.toContain('web of web has no digest');
  });

  it('a tag that no target has is the digest that its registry told, and the plan warns', () => {
    const document = bundle({ image: TAG });
    const extent = extentOf(inputWith().request, inputWith(document).documents, new Problems());
    expect(extent && tagsToResolve(extent, inputWith().observations)).toEqual([TAG]);
    const plan = planOf(inputWith(document, new Map([[TAG, { digest: DIGEST }]])));
    expect(prepared(plan)).toContainEqual({
      reference: TAG,
      digest: `registry.example.com:5000/shop/web@${DIGEST}`,
    });
    expect(plan.warnings.join('\n')).toContain(
      `${TAG} of web has no digest: this plan takes registry.example.com:5000/shop/web@${DIGEST}`,
    );
  });

  it('a tag that nobody can resolve is refused with what the registry said', () => {
    const problem = 'registry.example.com:5000 has no such thing';
    const input = inputWith(bundle({ image: TAG }), new Map([[TAG, { problem }]]));
    expect(refusalOf(input)).toContain(`is not on host-a (${problem}): load it there`);
  });

  it('a tag that moved since a plan was agreed to is told by name', () => {
    const [before, after] = [DIGEST, OTHER].map((digest) =>
      planOf(inputWith(bundle({ image: TAG }), new Map([[TAG, { digest }]]))),
    );
    expect(
      before &&
        after &&
        driftOf(before, after)
          .map(({ message }) => message)
          .join(),
    ).toMatch(
      /the image registry\.example\.com:5000\/shop\/web:2\.0 on host-a was .*abab, and is .*cdcd/,
    );
  });
});
