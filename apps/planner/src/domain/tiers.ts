interface Dependent {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

/**
 * Components in tiers: each depends on earlier tiers only. Within a tier the document's order holds, since whoever wrote it may
 * have put the least important first. The components must have no circle.
 */
export function tiersOf<C extends Dependent>(components: readonly C[]): C[][] {
  const indexes = new Map(components.map(({ name }, index) => [name, index]));
  const dependents = new Map<number, number[]>();
  const waitsFor = components.map(({ dependsOn }, index) => {
    const on = [...new Set(dependsOn)]
      .map((name) => indexes.get(name))
      .filter((at) => at !== undefined);
    for (const at of on) {
      const known = dependents.get(at) ?? [];
      dependents.set(at, known);
      known.push(index);
    }
    return on.length;
  });
  const tiers: C[][] = [];
  let placed = 0;
  let tier = waitsFor.flatMap((count, index) => (count === 0 ? [index] : []));
  while (tier.length > 0) {
    tiers.push(tier.map((index) => components[index]).filter((one) => one !== undefined));
    placed += tier.length;
    const next: number[] = [];
    for (const at of tier) {
      for (const dependent of dependents.get(at) ?? []) {
        const left = (waitsFor[dependent] ?? 0) - 1;
        waitsFor[dependent] = left;
        if (left === 0) next.push(dependent);
      }
    }
    tier = next.toSorted((a, b) => a - b);
  }
  if (placed < components.length) {
    const rest = components.filter((_, index) => (waitsFor[index] ?? 0) > 0);
    throw new Error(`components in a circle: ${rest.map(({ name }) => name).join(', ')}`);
  }
  return tiers;
}
