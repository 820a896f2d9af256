import type { Instance, PlannedTarget } from './instances.js';
import { tiersOf } from './tiers.js';
import type { ApplicationDocument } from '#contracts';

type Spec = ApplicationDocument['spec'];
type Share = Spec['maxParallel'];

/** Instances that are upgraded together, and why together. */
export interface WaveDraft<L> {
  readonly members: readonly L[];
  readonly parallelism: number;
}

interface Member {
  readonly instance: Instance;
}

/**
 * Who goes when, in one hop: tier by tier; in each tier the canaries first, then group by group, and of each group no more of one
 * component at a time than may be down. Within a wave the order of the documents holds.
 */
export function wavesOf<L extends Member>(
  members: readonly L[],
  spec: Spec,
  targets: ReadonlyMap<string, PlannedTarget>,
): Array<WaveDraft<L>> {
  const sizeOf = ({ instance }: L): number => instance.component.targets.length;
  const tierOf = tierNumbersOf(spec);
  const byTier = Map.groupBy(members, ({ instance }) => tierOf.get(instance.component.name) ?? 0);
  const waves: Array<readonly L[]> = [];
  for (const [, tier] of [...byTier].toSorted(([a], [b]) => a - b)) {
    const grouped = inGroups(tier, spec, targets);
    const canaries = canariesOf(grouped.flat(), spec.canary, sizeOf);
    if (canaries.size > 0) waves.push(grouped.flat().filter((one) => canaries.has(one)));
    for (const group of grouped) {
      const left = canaries.size === 0 ? group : group.filter((one) => !canaries.has(one));
      waves.push(...chunks(left, spec.maxUnavailable, sizeOf));
    }
  }
  return waves.map((wave) => ({
    members: wave,
    parallelism: countOf(spec.maxParallel, wave.length),
  }));
}

const tierNumbers = new WeakMap<Spec, ReadonlyMap<string, number>>();

/** Of each component, which tier it is in, from 0: the same in each hop. */
export function tierNumbersOf(spec: Spec): ReadonlyMap<string, number> {
  const found =
    tierNumbers.get(spec) ??
    new Map(
      tiersOf(spec.components).flatMap((tier, index) => tier.map(({ name }) => [name, index])),
    );
  tierNumbers.set(spec, found);
  return found;
}

/** A share of so many, at least one. */
export function countOf(share: Share, of: number): number {
  if (typeof share === 'number') return share;
  return Math.max(1, Math.floor((of * Number.parseInt(share, 10)) / 100));
}

/** In the order of the groups, each only once; whoever is in none comes last. */
function inGroups<L extends Member>(
  members: readonly L[],
  { groups }: Spec,
  targets: ReadonlyMap<string, PlannedTarget>,
): L[][] {
  if (groups === undefined || groups.length === 0) return [[...members]];
  const groupOf = ({ instance }: L): number => {
    const labels = targets.get(instance.target.name)?.labels ?? {};
    const index = groups.findIndex(({ selector }) =>
      Object.entries(selector).every(([label, value]) => labels[label] === value),
    );
    return index < 0 ? groups.length : index;
  };
  const byGroup = Map.groupBy(members, groupOf);
  return [...byGroup].toSorted(([a], [b]) => a - b).map(([, group]) => group);
}

function canariesOf<L extends Member>(
  members: readonly L[],
  canary: Share | undefined,
  sizeOf: (member: L) => number,
): ReadonlySet<L> {
  const canaries = new Set<L>();
  if (canary === undefined) return canaries;
  for (const [, same] of Map.groupBy(members, ({ instance }) => instance.component.name)) {
    const [first] = same;
    // where all would be canaries, there is nobody left to be warned
    const wanted = first === undefined ? 0 : countOf(canary, sizeOf(first));
    if (wanted < same.length) same.slice(0, wanted).forEach((one) => canaries.add(one));
  }
  return canaries;
}

function chunks<L extends Member>(
  members: readonly L[],
  limit: Share | undefined,
  sizeOf: (member: L) => number,
): L[][] {
  if (members.length === 0) return [];
  if (limit === undefined) return [[...members]];
  const waves: L[][] = [];
  const counts = new Map<string, number>();
  for (const one of members) {
    const { name } = one.instance.component;
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    const wave = Math.floor(count / countOf(limit, sizeOf(one)));
    (waves[wave] ??= []).push(one);
  }
  return waves;
}
