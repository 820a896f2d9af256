import { expect, test } from 'vitest';
import { parseImageId } from './image-ids.js';
import { ownerOf } from './owner.js';

const owned = (metadata: object) =>
  ownerOf({ metadata: { name: 'a', uid: '1', resourceVersion: '1', ...metadata } });

test.each<[string | undefined, object]>([
  [undefined, {}],
  [
    undefined,
    { labels: { 'app.kubernetes.io/instance': 'web', 'app.kubernetes.io/managed-by': 'Helm' } },
  ],
  [
    'helm:shop/web',
    {
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: { 'meta.helm.sh/release-name': 'web', 'meta.helm.sh/release-namespace': 'shop' },
    },
  ],
  [
    'argocd:web',
    { annotations: { 'argocd.argoproj.io/tracking-id': 'web:apps/Deployment:shop/web' } },
  ],
  [
    'argocd:web',
    {
      labels: { 'app.kubernetes.io/instance': 'web' },
      annotations: { 'argocd.argoproj.io/sync-wave': '1' },
    },
  ],
  [
    'flux:Kustomization/flux-system/apps',
    {
      labels: {
        'kustomize.toolkit.fluxcd.io/name': 'apps',
        'kustomize.toolkit.fluxcd.io/namespace': 'flux-system',
      },
    },
  ],
  [
    'flux:HelmRelease/shop/web',
    {
      labels: {
        'app.kubernetes.io/managed-by': 'Helm',
        'helm.toolkit.fluxcd.io/name': 'web',
        'helm.toolkit.fluxcd.io/namespace': 'shop',
      },
      annotations: { 'meta.helm.sh/release-name': 'web' },
    },
  ],
  [
    'controller:Kafka.example.com/web',
    {
      ownerReferences: [
        { apiVersion: 'example.com/v1', kind: 'Kafka', name: 'web', uid: '2', controller: true },
      ],
    },
  ],
])('%s', (expected, metadata) => {
  expect(owned(metadata)).toBe(expected);
});

const hash = `sha256:${'a'.repeat(64)}`;
test.each([
  [`docker-pullable://one/two@${hash}`, { digest: `one/two@${hash}` }],
  [`docker://${hash}`, { id: hash }],
  [`docker.io/library/web@${hash}`, { digest: `docker.io/library/web@${hash}` }],
  [hash, { id: hash }],
  ['', {}],
])('an image is known by %s', (imageId, expected) => {
  expect(parseImageId(imageId)).toEqual(expected);
});
