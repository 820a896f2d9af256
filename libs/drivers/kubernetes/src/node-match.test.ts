import { expect, test } from 'vitest';
import { mayRunOn } from './node-match.js';
import type { KubeNode, PodSpec } from './objects.js';

const node = (spec: object = {}): KubeNode =>
  ({
    metadata: { name: 'a', uid: '1', labels: { disk: 'ssd', size: '8' } },
    spec,
  }) as unknown as KubeNode;
const affinity = (...expressions: object[]) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'none', operator: 'Exists' }] },
          { matchExpressions: expressions },
        ],
      },
    },
  },
});
const taint = { key: 'own', value: 'db', effect: 'NoSchedule' };

test.each<[string, object, object, boolean]>([
  ['anything', {}, {}, true],
  ['its labels', { nodeSelector: { disk: 'ssd' } }, {}, true],
  ['other labels', { nodeSelector: { disk: 'hdd' } }, {}, false],
  [
    'one of several values',
    affinity({ key: 'disk', operator: 'In', values: ['hdd', 'ssd'] }),
    {},
    true,
  ],
  ['more than it has', affinity({ key: 'size', operator: 'Gt', values: ['8'] }), {}, false],
  ['less', affinity({ key: 'size', operator: 'Lt', values: ['9'] }), {}, true],
  ['none of that label', affinity({ key: 'disk', operator: 'DoesNotExist' }), {}, false],
  ['a node that is cordoned', {}, { unschedulable: true }, false],
  ['a taint', {}, { taints: [taint] }, false],
  ['one that only advises', {}, { taints: [{ ...taint, effect: 'PreferNoSchedule' }] }, true],
  [
    'a taint that it bears',
    { tolerations: [{ key: 'own', operator: 'Exists' }] },
    { taints: [taint] },
    true,
  ],
  [
    'another value of it',
    { tolerations: [{ key: 'own', value: 'web' }] },
    { taints: [taint] },
    false,
  ],
  ['all taints', { tolerations: [{ operator: 'Exists' }] }, { taints: [taint] }, true],
])('a pod that wants %s', (_what, spec, ofNode, expected) => {
  expect(mayRunOn({ containers: [], ...spec } as PodSpec, node(ofNode), false)).toBe(expected);
});

test('a DaemonSet bears with what the cluster itself puts on nodes', () => {
  const unschedulable = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
  const cordoned = node({ unschedulable: true, taints: [unschedulable] });
  expect([true, false].map((isDaemon) => mayRunOn({ containers: [] }, cordoned, isDaemon))).toEqual(
    [true, false],
  );
});
