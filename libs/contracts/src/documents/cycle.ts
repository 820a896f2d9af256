interface Dependent {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

/** A circle among the components, first and last the same; undefined when there is none. */
export function findCycle(components: readonly Dependent[]): string[] | undefined {
  const byName = new Map(components.map((component) => [component.name, component]));
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): string[] | undefined => {
    const at = path.indexOf(name);
    if (at >= 0) return [...path.slice(at), name];
    if (done.has(name)) return undefined;
    for (const next of byName.get(name)?.dependsOn ?? []) {
      const cycle = visit(next, [...path, name]);
      if (cycle !== undefined) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const { name } of components) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
