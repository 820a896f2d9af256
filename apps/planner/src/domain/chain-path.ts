import type { ChainGraph, ChainNode } from './chain-graph.js';
import { compareVersions } from './versions.js';

/** Keys of the nodes from the first to the last, both included; or why there is no way. */
export type Way = { readonly nodes: readonly string[] } | { readonly none: string };

const MOST_EDGES_TOLD = 12;
/** Looks at a tangle of versions without order before it is given up. */
const MOST_LOOKS = 100_000;

/**
 * The way from one version to another.
 *
 * k0rdent's rule (`path: every`): the next smallest version first, so that every intermediate version is walked
 * (https://github.com/k0rdent/kcm/issues/3042 is what happens otherwise); where versions have no order, the longest route, as k0rdent
 * takes it. A route that ends before the target is no route. Downgrades only along edges that lead down.
 */
export function wayOf(graph: ChainGraph, from: string, to: string): Way {
  const start = graph.nodes.get(from);
  const end = graph.nodes.get(to);
  if (start === undefined || end === undefined) {
    return { none: `${graph.label(start === undefined ? from : to)} is in none of its chains` };
  }
  const leading = leadingTo(graph, to, () => true);
  if (!leading.has(from)) return { none: noWay(graph, from) };
  if (graph.path === 'shortest') return shortest(graph, start, end);
  return ordered(graph, start, end) ?? unordered(graph, from, to, leading);
}

function noWay(graph: ChainGraph, from: string): string {
  const all = graph.edgeLabels();
  if (all.length === 0) return 'no chain says which version may follow which';
  const here = graph.successors(from).map((to) => `${graph.label(from)} → ${graph.label(to)}`);
  const told = (here.length > 0 ? here : all).slice(0, MOST_EDGES_TOLD);
  const more = (here.length > 0 ? here : all).length - told.length;
  return `the hops that exist are ${told.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

type Allowed = (from: string, to: string) => boolean;

/** All nodes from which a node can be reached, itself included. */
function leadingTo(graph: ChainGraph, to: string, allowed: Allowed): Set<string> {
  const before = new Map<string, string[]>();
  for (const from of graph.nodes.keys()) {
    for (const next of graph.successors(from)) {
      if (!allowed(from, next)) continue;
      before.set(next, [...(before.get(next) ?? []), from]);
    }
  }
  const found = new Set([to]);
  const open = [to];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const one of before.get(at) ?? []) {
      if (found.has(one)) continue;
      found.add(one);
      open.push(one);
    }
  }
  return found;
}

/** Strictly up, or strictly down, one smallest step after the other; undefined where the versions do not tell. */
function ordered(graph: ChainGraph, start: ChainNode, end: ChainNode): Way | undefined {
  if (start.version === undefined || end.version === undefined) return undefined;
  const direction = Math.sign(compareVersions(end.version, start.version));
  if (direction === 0) return undefined;
  const versionAt = (key: string) => graph.nodes.get(key)?.version;
  const allowed: Allowed = (from, to) => {
    const [a, b] = [versionAt(from), versionAt(to)];
    if (a === undefined || b === undefined || end.version === undefined) return false;
    return compareVersions(b, a) === direction && compareVersions(end.version, b) !== -direction;
  };
  const leading = leadingTo(graph, end.key, allowed);
  if (!leading.has(start.key)) return undefined;
  const nodes = [start.key];
  for (let at = start.key; at !== end.key;) {
    const nexts = graph.successors(at).filter((next) => leading.has(next) && allowed(at, next));
    const next = nexts.reduce((best, one) => {
      const [a, b] = [versionAt(best), versionAt(one)];
      return a !== undefined && b !== undefined && compareVersions(b, a) === -direction
        ? one
        : best;
    });
    nodes.push(next);
    at = next;
  }
  return { nodes };
}

/** The longest route without meeting a version twice; of several, the one whose edges are written first. */
function unordered(graph: ChainGraph, from: string, to: string, leading: ReadonlySet<string>): Way {
  let best: string[] = [];
  let looks = 0;
  const path = [from];
  const onPath = new Set(path);
  const visit = (at: string): void => {
    looks += 1;
    if (looks > MOST_LOOKS) return;
    if (at === to) {
      if (path.length > best.length) best = [...path];
      return;
    }
    for (const next of graph.successors(at)) {
      if (onPath.has(next) || !leading.has(next)) continue;
      path.push(next);
      onPath.add(next);
      visit(next);
      path.pop();
      onPath.delete(next);
    }
  };
  visit(from);
  if (looks > MOST_LOOKS) {
    return {
      none: 'the chains are too tangled to say which way is meant: give every template its version',
    };
  }
  return { nodes: best };
}

/** Fewest hops, by way of the required stops that lie between. */
function shortest(graph: ChainGraph, start: ChainNode, end: ChainNode): Way {
  const stops = graph.stops
    .map((key) => graph.nodes.get(key))
    .filter((node) => node !== undefined)
    .filter((node) => liesBetween(node, start, end))
    .toSorted((a, b) => distanceFrom(start, a, b));
  const nodes = [start.key];
  for (const stop of [...stops, end]) {
    const leg = fewestHops(graph, nodes.at(-1) ?? start.key, stop.key);
    if (leg === undefined) {
      return {
        none: `no way leads by ${stop.label}, which is a required stop: ${noWay(graph, nodes.at(-1) ?? start.key)}`,
      };
    }
    nodes.push(...leg.slice(1));
  }
  return { nodes };
}

function liesBetween(node: ChainNode, start: ChainNode, end: ChainNode): boolean {
  if (node.key === start.key || node.key === end.key) return false;
  if (node.version === undefined || start.version === undefined || end.version === undefined)
    return true;
  const a = compareVersions(node.version, start.version);
  return a !== 0 && a === compareVersions(end.version, node.version);
}

/** Nearest to the start first. */
function distanceFrom(start: ChainNode, a: ChainNode, b: ChainNode): number {
  if (a.version === undefined || b.version === undefined || start.version === undefined) return 0;
  return compareVersions(a.version, b.version) * compareVersions(a.version, start.version);
}

function fewestHops(graph: ChainGraph, from: string, to: string): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[from, undefined]]);
  for (const at of cameFrom.keys()) {
    if (at === to) break;
    for (const next of graph.successors(at)) if (!cameFrom.has(next)) cameFrom.set(next, at);
  }
  if (!cameFrom.has(to)) return undefined;
  const nodes: string[] = [];
  for (let at: string | undefined = to; at !== undefined; at = cameFrom.get(at)) nodes.push(at);
  return nodes.toReversed();
}

/** All versions that can be gone to from one, each with its way: what a person may ask for. */
export function waysFrom(graph: ChainGraph, from: string): Array<readonly string[]> {
  return [...graph.nodes.keys()].flatMap((to) => {
    if (to === from) return [];
    const way = wayOf(graph, from, to);
    return 'nodes' in way ? [way.nodes] : [];
  });
}
