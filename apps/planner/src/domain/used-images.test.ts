import { describe, expect, it } from 'vitest';
import { applicationDocument, releaseDocument } from '#contracts';
import { isUsed, usedImagesOf } from './used-images.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
const PINNED = `sha256:${'c'.repeat(64)}`;
const MIRROR = 'mirror.example:5000/team';
const head = { apiVersion: 'liftlock.dev/v1', metadata: { name: 'shop' } };

describe('an image that documents name', () => {
  const release = releaseDocument.parse({
    ...head,
    kind: 'Release',
    spec: {
      application: 'shop',
      version: '2.0',
      components: {
        web: { image: 'quay.io/shop/web:2.0' },
        api: { image: 'mirror.example:5000/team/api:2.0' },
        ui: { image: 'mirror.example:5000/team/ui' },
        pinned: { image: `mirror.example:5000/team/pinned:2.0@${PINNED}` },
      },
      bundle: { cache: '7.1' },
      artifacts: {
        cache: {
          '7.1': { image: 'quay.io/cache:7.1', digest: DIGEST },
          '7.2': { image: `c@${OTHER}` },
        },
      },
    },
  });
  const application = applicationDocument.parse({
    ...head,
    kind: 'Application',
    spec: {
      hooks: {
        after: [
          {
            ...{ type: 'job', name: 'tidy', instance: { component: 'web' } },
            undo: { type: 'job', image: 'quay.io/shop/untidy:1', instance: { component: 'web' } },
          },
        ],
      },
      components: [
        {
          name: 'web',
          targets: ['one'],
          container: 'web',
          hooks: {
            before: [
              {
                type: 'job',
                name: 'migrate',
                image: 'quay.io/shop/migrate:5',
                command: ['run'],
                undo: 'none',
              },
            ],
          },
        },
      ],
    },
  });
  const used = usedImagesOf([release], [application]);

  it.each([
    ['by its reference', 'quay.io/shop/web:2.0', 'sha256:of-an-older-push'],
    ['by the digest beside it', 'quay.io/cache@moved', DIGEST],
    ['in a table, though no bundle names that version yet', 'elsewhere/c:1', OTHER],
    ['as the image of a job', 'quay.io/shop/migrate:5', 'sha256:any'],
    ['as that of a job of the whole application', 'quay.io/shop/untidy:1', 'sha256:any'],
  ])('%s', (_how, source, digest) => {
    expect(isUsed(used, { source, digest })).toBe(true);
  });

  it.each([
    ['by its tag there', `${MIRROR}/api:2.0`, 'sha256:any', true],
    ['without a tag, which means latest', `${MIRROR}/ui:latest`, 'sha256:any', true],
    ['by another tag', `${MIRROR}/api:1.0`, 'sha256:any', false],
    ['without a tag, and it has another', `${MIRROR}/ui:1.0`, 'sha256:any', false],
    ['with a digest, and it is that', `${MIRROR}/pinned:1.0`, PINNED, true],
    [
      'with the digest of another that has its tag',
      `${MIRROR}/pinned:2.0`,
      `sha256:${'d'.repeat(64)}`,
      false,
    ],
  ])('who takes images from the mirror names it there %s', (_how, place, digest, expected) => {
    const source = place.replace(MIRROR, 'quay.io/team');
    expect(isUsed(used, { source, digest, place })).toBe(expected);
  });

  it('another tag of the same repository is not named', () => {
    expect(isUsed(used, { source: 'quay.io/shop/web:1.0', digest: 'sha256:any' })).toBe(false);
  });
});
