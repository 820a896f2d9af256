import { describe, expect, it } from 'vitest';
import { ableNodes } from './able-nodes.js';
import type { KubeNode, PodSpec } from './objects.js';

const pressure = { type: 'DiskPressure', status: 'True' };
const taint = { key: 'node.kubernetes.io/disk-pressure', effect: 'NoSchedule' };
const node = (name: string, isShort: boolean): KubeNode =>
  ({
    metadata: { name, uid: name },
    spec: isShort ? { taints: [taint] } : {},
    status: { conditions: isShort ? [pressure] : [{ ...pressure, status: 'False' }] },
  }) as unknown as KubeNode;

function able(kind: 'Deployment' | 'DaemonSet', ...nodes: KubeNode[]) {
  const lines: string[] = [];
  const at = {
    cluster: { name: 'north', endpoint: 'https://north' },
    context: { log: (line: string) => void lines.push(line) },
  };
  const instance = { namespace: 'shop', kind, name: 'web' };
  const found = ableNodes(at, instance, { containers: [] } as unknown as PodSpec, nodes);
  return { names: found.map(({ metadata }) => metadata.name), lines };
}

describe('nodes that are short of disk', () => {
  it('are left out where there are others, and the log names them', () => {
    const { names, lines } = able('Deployment', node('a', true), node('b', false));
    expect(names).toEqual(['b']);
    expect(lines).toEqual([expect.stringContaining('the disk of a of north is short')]);
    expect(able('Deployment', node('b', false)).lines).toEqual([]);
  });

  it.each([
    ['Deployment', [node('a', true), node('b', true)], 'a, b'],
    ['DaemonSet', [node('a', true), node('b', false)], 'a'],
  ] as const)('end the step where a %s has no others', (kind, nodes, names) => {
    expect(() => able(kind, ...nodes)).toThrow(
      expect.objectContaining({
        code: 'disk_full',
        message: expect.stringContaining(`the disk of ${names} of north is short`) as string,
      }),
    );
  });
});
