/** The part of kubectl's JSONPath that names one value: `.a.b`, `['a']`, `[0]`, `[-1]`, `[?(@.type=="Ready")]`. */
const STEP =
  /^(?:\.([\w-]+(?:\\\.[\w-]+)*)|\[(-?\d+)\]|\['([^']*)'\]|\["([^"]*)"\]|\[\?\(@\.([\w.-]+)\s*==\s*(?:'([^']*)'|"([^"]*)"|(-?\d+|true|false))\)\])/;

/**
 * @param path as `kubectl get -o jsonpath` takes it: `{.status.services[0].state}`
 * @returns what stands there as text, as kubectl prints it; undefined where there is nothing
 * @throws Error for what is more than that
 */
export function valueAt(object: unknown, path: string): string | undefined {
  let rest = path.replace(/^\{\s*\$?/, '').replace(/\s*\}$/, '');
  let at = object;
  while (rest !== '') {
    const step = STEP.exec(rest);
    if (step === null) throw new Error(`${path} is not understood from ${rest} on`);
    rest = rest.slice(step[0].length);
    at = next(at, step);
  }
  if (at === undefined || at === null) return undefined;
  return typeof at === 'object' ? JSON.stringify(at) : String(at as string | number | boolean);
}

function next(at: unknown, step: RegExpExecArray): unknown {
  const [, name, index, single, double, field, one, two, plain] = step;
  if (typeof at !== 'object' || at === null) return undefined;
  if (index !== undefined) return Array.isArray(at) ? at.at(Number(index)) : undefined;
  if (field !== undefined) {
    const wanted = one ?? two ?? plain ?? '';
    return Array.isArray(at)
      ? (at as unknown[]).find((item) => valueAt(item, `.${field}`) === wanted)
      : undefined;
  }
  const key = name?.replaceAll('\\.', '.') ?? single ?? double ?? '';
  return Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined;
}
