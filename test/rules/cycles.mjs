// Cycles among modules (Tarjan's strongly connected components), type-only imports left out: they are gone at run time.

/** @returns {string[][]} the paths of each cycle */
export function findCycles(modules) {
  const known = new Set(modules.map(({ path }) => path));
  const edges = new Map(
    modules.map(({ path, imports }) => [
      path,
      imports
        .filter(({ typeOnly, target }) => !typeOnly && known.has(target))
        .map(({ target }) => target),
    ]),
  );
  const index = new Map();
  const low = new Map();
  const stack = [];
  const onStack = new Set();
  const cycles = [];
  const visit = (path) => {
    index.set(path, index.size);
    low.set(path, index.get(path));
    stack.push(path);
    onStack.add(path);
    for (const next of edges.get(path)) {
      if (!index.has(next)) {
        visit(next);
        low.set(path, Math.min(low.get(path), low.get(next)));
      } else if (onStack.has(next)) {
        low.set(path, Math.min(low.get(path), index.get(next)));
      }
    }
    if (low.get(path) !== index.get(path)) return;
    const component = stack.splice(stack.indexOf(path));
    for (const member of component) onStack.delete(member);
    if (component.length > 1 || edges.get(path).includes(path)) cycles.push(component);
  };
  for (const path of edges.keys()) if (!index.has(path)) visit(path);
  return cycles;
}
