import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  serviceTemplateChainDocument,
  upgradeChainDocument,
  type ServiceTemplateChainDocument,
  type UpgradeChainDocument,
} from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { ChainGraph } from './chain-graph.js';
import { wayOf, waysFrom, type Way } from './chain-path.js';

type Edges = Readonly<Record<string, readonly string[]>>;

function ours(
  edges: Edges,
  more: Partial<UpgradeChainDocument['spec']> = {},
): UpgradeChainDocument {
  const named = new Set([...Object.keys(edges), ...Object.values(edges).flat()]);
  return upgradeChainDocument.parse({
    apiVersion: 'liftlock.dev/v1',
    kind: 'UpgradeChain',
    metadata: { name: 'shop' },
    spec: {
      application: 'shop',
      supportedVersions: [...named].map((version) => ({
        version,
        availableUpgrades: edges[version] ?? [],
      })),
      ...more,
    },
  });
}

function theirs(
  edges: Edges,
  versions: Readonly<Record<string, string>> = {},
): ServiceTemplateChainDocument {
  const named = new Set([...Object.keys(edges), ...Object.values(edges).flat()]);
  const template = (name: string) => ({
    name,
    ...(versions[name] === undefined ? {} : { version: versions[name] }),
  });
  return serviceTemplateChainDocument.parse({
    apiVersion: 'k0rdent.mirantis.com/v1alpha1',
    kind: 'ServiceTemplateChain',
    metadata: { name: 'ingress-nginx-chain', namespace: 'kcm-system' },
    spec: {
      supportedTemplates: [...named].map((name) => ({
        ...template(name),
        ...(edges[name] === undefined ? {} : { availableUpgrades: edges[name].map(template) }),
      })),
    },
  });
}

const graphOf = (...documents: Array<UpgradeChainDocument | ServiceTemplateChainDocument>) =>
  ChainGraph.of(
    documents.map((one) => given.stored(one)),
    [],
  );

function nodesOf(way: Way): readonly string[] {
  if ('none' in way) throw new Error(way.none);
  return way.nodes;
}

describe('the way through a chain', () => {
  it('of k0rdent’s documentation: one hop up, and down only by a chain of its own', () => {
    const up = theirs({
      'ingress-nginx-4-11-3': ['ingress-nginx-4-11-5'],
      'ingress-nginx-4-11-5': [],
    });
    const graph = graphOf(up);
    expect(nodesOf(wayOf(graph, 'ingress-nginx-4-11-3', 'ingress-nginx-4-11-5'))).toEqual([
      'ingress-nginx-4-11-3',
      'ingress-nginx-4-11-5',
    ]);
    expect(wayOf(graph, 'ingress-nginx-4-11-5', 'ingress-nginx-4-11-3')).toEqual({
      none: 'the hops that exist are ingress-nginx-4-11-3 → ingress-nginx-4-11-5',
    });
    const down = theirs({
      'ingress-nginx-4-11-3': [],
      'ingress-nginx-4-11-5': ['ingress-nginx-4-11-3'],
    });
    expect(
      nodesOf(wayOf(graphOf(down), 'ingress-nginx-4-11-5', 'ingress-nginx-4-11-3')),
    ).toHaveLength(2);
    expect(wayOf(graphOf(down), 'ingress-nginx-4-11-3', 'ingress-nginx-4-11-5')).toHaveProperty(
      'none',
    );
  });

  it('walks every intermediate version, even where an edge leads straight past it', () => {
    const edges = { '1.20.2': ['1.21.1', '1.20.3'], '1.20.3': ['1.21.1'] };
    expect(nodesOf(wayOf(graphOf(ours(edges)), '1.20.2', '1.21.1'))).toEqual([
      '1.20.2',
      '1.20.3',
      '1.21.1',
    ]);
    const names = { 'cm-a': ['cm-c', 'cm-b'], 'cm-b': ['cm-c'] };
    expect(nodesOf(wayOf(graphOf(theirs(names)), 'cm-a', 'cm-c'))).toEqual([
      'cm-a',
      'cm-b',
      'cm-c',
    ]);
    const versions = { 'cm-a': '1.20.2', 'cm-b': '1.20.3', 'cm-c': '1.21.1' };
    expect(nodesOf(wayOf(graphOf(theirs(names, versions)), 'cm-a', 'cm-c'))).toEqual([
      'cm-a',
      'cm-b',
      'cm-c',
    ]);
  });

  it('orders as semver does, not as text: 1.9.0 comes before 1.10.0', () => {
    const edges = { '1.8.0': ['1.10.0', '1.9.0'], '1.9.0': ['1.10.0'] };
    expect(nodesOf(wayOf(graphOf(ours(edges)), '1.8.0', '1.10.0'))).toEqual([
      '1.8.0',
      '1.9.0',
      '1.10.0',
    ]);
  });

  it('does not enter a dead end, though it is the next smallest', () => {
    const edges = { '1.0': ['1.1', '1.5'], '1.1': ['1.2'], '1.5': ['2.0'] };
    expect(nodesOf(wayOf(graphOf(ours(edges)), '1.0', '2.0'))).toEqual(['1.0', '1.5', '2.0']);
  });

  it('takes the side of a diamond with the smaller version, and never goes past its target', () => {
    const edges = { '1.0': ['1.3', '1.2', '3.0'], '1.2': ['2.0'], '1.3': ['2.0'], '3.0': ['2.0'] };
    expect(nodesOf(wayOf(graphOf(ours(edges)), '1.0', '2.0'))).toEqual(['1.0', '1.2', '2.0']);
  });

  it('a circle and a version that leads to itself do not hold it up', () => {
    const edges = { '1.0': ['1.0', '2.0'], '2.0': ['1.0', '3.0'], '3.0': ['2.0', '3.0'] };
    const graph = graphOf(ours(edges));
    expect(nodesOf(wayOf(graph, '1.0', '3.0'))).toEqual(['1.0', '2.0', '3.0']);
    expect(nodesOf(wayOf(graph, '3.0', '1.0'))).toEqual(['3.0', '2.0', '1.0']);
    const names = { red: ['red', 'green'], green: ['red', 'blue'], blue: ['green'] };
    expect(nodesOf(wayOf(graphOf(theirs(names)), 'red', 'blue'))).toEqual(['red', 'green', 'blue']);
  });

  it('goes down one nearest version after the other', () => {
    const edges = { '3.0': ['1.0', '2.0'], '2.0': ['1.0'] };
    expect(nodesOf(wayOf(graphOf(ours(edges)), '3.0', '1.0'))).toEqual(['3.0', '2.0', '1.0']);
  });

  it('shortest takes the fewest hops, by way of the required stops that lie between', () => {
    const edges = {
      '1.0': ['1.5', '3.0'],
      '1.5': ['2.0', '4.0'],
      '2.0': ['3.0', '4.0'],
      '3.0': ['4.0'],
    };
    const direct = graphOf(ours(edges, { path: 'shortest' }));
    expect(nodesOf(wayOf(direct, '1.0', '4.0'))).toEqual(['1.0', '1.5', '4.0']);
    const stopping = graphOf(ours(edges, { path: 'shortest', requiredStops: ['2.0', '9.0'] }));
    expect(nodesOf(wayOf(stopping, '1.0', '4.0'))).toEqual(['1.0', '1.5', '2.0', '4.0']);
    expect(nodesOf(wayOf(stopping, '2.0', '4.0'))).toEqual(['2.0', '4.0']);
    const walled = graphOf(
      ours({ '1.0': ['3.0'], '2.0': ['3.0'] }, { path: 'shortest', requiredStops: ['2.0'] }),
    );
    expect(wayOf(walled, '1.0', '3.0')).toHaveProperty(
      'none',
      'no way leads by 2.0, which is a required stop: the hops that exist are 1.0 → 3.0',
    );
  });

  it('says of a version that no chain has, and of chains that have no hop at all', () => {
    expect(wayOf(graphOf(ours({ '1.0': ['2.0'] })), '0.9', '2.0')).toEqual({
      none: '0.9 is in none of its chains',
    });
    expect(wayOf(graphOf(theirs({ a: [], b: [] })), 'a', 'b')).toEqual({
      none: 'no chain says which version may follow which',
    });
  });

  it('gives a tangle of names without versions up, within bounded time', () => {
    const names = Array.from({ length: 24 }, (_, index) => `t${index}`);
    const edges = Object.fromEntries(names.map((name) => [name, names]));
    expect(wayOf(graphOf(theirs(edges)), 't0', 't23')).toHaveProperty(
      'none',
      expect.stringContaining('too tangled'),
    );
  });

  it('of templates without versions, goes the longer side of a diamond, and past dead ends', () => {
    const edges = {
      ...{ 'nginx-a': ['nginx-d', 'nginx-b', 'nginx-end'], 'nginx-b': ['nginx-c', 'nginx-end'] },
      ...{ 'nginx-c': ['nginx-z'], 'nginx-d': ['nginx-z'], 'nginx-end': [] },
    };
    expect(nodesOf(wayOf(graphOf(theirs(edges)), 'nginx-a', 'nginx-z'))).toEqual([
      ...['nginx-a', 'nginx-b', 'nginx-c', 'nginx-z'],
    ]);
    // both sides as long: the one that is written first
    const even = { a: ['c', 'b'], b: ['z'], c: ['z'] };
    expect(nodesOf(wayOf(graphOf(theirs(even)), 'a', 'z'))).toEqual(['a', 'c', 'z']);
  });

  it('with the chain up and the chain down both attached, goes each way by its own edges', () => {
    const [low, middle, high] = ['nginx-4-11-0', 'nginx-4-11-3', 'nginx-4-11-5'];
    const versions = { [low]: '4.11.0', [middle]: '4.11.3', [high]: '4.11.5' };
    const both = graphOf(
      theirs({ [low]: [middle, high], [middle]: [high] }, versions),
      theirs({ [high]: [middle] }, versions),
    );
    expect(nodesOf(wayOf(both, low, high))).toEqual([low, middle, high]);
    expect(nodesOf(wayOf(both, high, middle))).toEqual([high, middle]);
    expect(wayOf(both, high, low)).toEqual({
      none: 'the hops that exist are 4.11.5 → 4.11.3',
    });
  });

  it('a version that semver does not know has no place in the order, and is gone through where an edge leads by it only', () => {
    const edges = { '1.0': ['nightly', '2.0'], nightly: ['3.0'], '2.0': ['3.0'] };
    expect(nodesOf(wayOf(graphOf(ours(edges)), '1.0', '3.0'))).toEqual(['1.0', '2.0', '3.0']);
    const byNightly = { '1.0': ['nightly'], nightly: ['3.0'] };
    expect(nodesOf(wayOf(graphOf(ours(byNightly)), '1.0', '3.0'))).toEqual([
      ...['1.0', 'nightly', '3.0'],
    ]);
  });

  it('lists all that can be gone to', () => {
    const graph = graphOf(ours({ '1.0': ['2.0'], '2.0': ['3.0'] }));
    expect(waysFrom(graph, '1.0')).toEqual([
      ['1.0', '2.0'],
      ['1.0', '2.0', '3.0'],
    ]);
    expect(waysFrom(graph, '3.0')).toEqual([]);
  });
});

describe('any chain', () => {
  const versions = ['1.0', '1.1', '1.2', '2.0', '2.1', '3.0', '3.1', '4.0'];
  const chain = fc.dictionary(
    fc.constantFrom(...versions),
    fc.uniqueArray(fc.constantFrom(...versions), { maxLength: 5 }),
    { noNullPrototype: true },
  );
  const end = fc.constantFrom(...versions);

  it.each(['every', 'shortest'] as const)(
    '%s: each hop is an edge, no version is met twice, and there is a way exactly where one exists',
    (path) => {
      fc.assert(
        fc.property(chain, end, end, (edges, from, to) => {
          fc.pre(from !== to && Object.keys(edges).length > 0);
          const way = wayOf(graphOf(ours(edges, { path })), from, to);
          const reachable = new Set([from]);
          for (const at of reachable) for (const next of edges[at] ?? []) reachable.add(next);
          expect('nodes' in way).toBe(reachable.has(to));
          if ('none' in way) return;
          expect(way.nodes[0]).toBe(from);
          expect(way.nodes.at(-1)).toBe(to);
          expect(new Set(way.nodes).size).toBe(way.nodes.length);
          for (const [index, node] of way.nodes.slice(0, -1).entries())
            expect(edges[node]).toContain(way.nodes[index + 1]);
        }),
        { numRuns: 500 },
      );
    },
  );

  it('the order in which edges are written changes nothing where versions have an order', () => {
    fc.assert(
      fc.property(chain, end, end, (edges, from, to) => {
        fc.pre(versions.indexOf(from) < versions.indexOf(to) && Object.keys(edges).length > 0);
        const turned = Object.fromEntries(
          Object.entries(edges)
            .map(([key, nexts]) => [key, nexts.toReversed()] as const)
            .toReversed(),
        );
        const up = (way: Way): readonly string[] | undefined =>
          'nodes' in way &&
          way.nodes.every(
            (node, i) =>
              i === 0 || versions.indexOf(node) > versions.indexOf(way.nodes[i - 1] ?? ''),
          )
            ? way.nodes
            : undefined;
        const way = up(wayOf(graphOf(ours(edges)), from, to));
        if (way === undefined) return;
        expect(wayOf(graphOf(ours(turned)), from, to)).toEqual({ nodes: way });
      }),
      { numRuns: 500 },
    );
  });
});
