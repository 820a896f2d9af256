import { LiftlockError } from '#kernel';
import { statusOf } from './errors.js';
import { isWorkloadKind, RESOURCES, WORKLOADS, type Resource } from './resources.js';

/** What of a cluster is needed here. */
interface Api {
  readonly name: string;
  json<T>(what: string, call: { readonly path: string }, signal: AbortSignal): Promise<T>;
}

interface ResourceList {
  readonly resources?: ReadonlyArray<{
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    /** Where they are not the list's own. */
    readonly group?: string;
    readonly version?: string;
  }>;
}

interface Group {
  readonly name: string;
  readonly preferredVersion?: { readonly version: string };
  readonly versions: ReadonlyArray<{ readonly version: string }>;
}

const WELL_KNOWN: ReadonlyMap<string, Resource> = new Map(
  Object.values(RESOURCES).map((resource) => [resource.kind, resource]),
);

/** Which kinds an API server has, and in which versions: asked for when something is needed that not every one has at the same place. */
export class ApiResources {
  private readonly lists = new Map<string, Promise<ResourceList>>();

  constructor(private readonly cluster: Api) {}

  /**
   * @param named `KIND` or `KIND.GROUP`
   * @throws LiftlockError `target_refused` where there is none, or where several groups have one of that name
   */
  async ofKind(named: string, signal: AbortSignal): Promise<Resource> {
    const [kind = '', ...rest] = named.split('.');
    const group = rest.join('.');
    if (group === '') {
      if (isWorkloadKind(kind)) return WORKLOADS[kind];
      const known = WELL_KNOWN.get(kind);
      if (known !== undefined) return known;
    }
    const asked = group === '' ? undefined : group;
    const found = await this.look(
      () => this.search(kind, asked, signal),
      (all) => all.length > 0,
    );
    const [first] = found;
    // what is in a group of Kubernetes' own goes before one of the same name elsewhere
    const own = found.filter((one) => !one.group.includes('.') || one.group.endsWith('.k8s.io'));
    if (first !== undefined && (found.length === 1 || own.length === 1)) return own[0] ?? first;
    throw new LiftlockError(
      'target_refused',
      found.length === 0
        ? `${this.cluster.name} has no kind ${named}; is its custom resource definition there?`
        : `${this.cluster.name} has several kinds ${kind}: write ${found.map((one) => `${kind}.${one.group}`).join(' or ')}`,
      { details: { target: this.cluster.name, kind: named } },
    );
  }

  /** @param apiVersion as a manifest has it: `apps/v1` */
  async ofManifest(apiVersion: string, kind: string, signal: AbortSignal): Promise<Resource> {
    const [version = '', group = ''] = apiVersion.split('/').toReversed();
    const found = await this.look(
      async () => resourceIn(await this.listOf(group, version, signal), group, version, kind),
      (one) => one !== undefined,
    );
    if (found !== undefined) return found;
    throw new LiftlockError(
      'target_refused',
      `${this.cluster.name} has no ${kind} in ${apiVersion}; is its custom resource definition there?`,
      { details: { target: this.cluster.name, apiVersion, kind } },
    );
  }

  /** In which version evictions are asked for: it was `policy/v1beta1`, and is `policy/v1` since 1.22. */
  async evictionVersion(signal: AbortSignal): Promise<string> {
    const { resources = [] } = await this.listOf('', 'v1', signal);
    const { group = 'policy', version = 'v1' } =
      resources.find(({ name }) => name === 'pods/eviction') ?? {};
    return `${group}/${version}`;
  }

  /** What was asked for before may have changed: a custom resource definition came. Where it was asked for just now, it is not asked for again. */
  private async look<T>(search: () => Promise<T>, isFound: (found: T) => boolean): Promise<T> {
    const mayBeOld = this.lists.size > 0;
    const found = await search();
    if (isFound(found) || !mayBeOld) return found;
    this.lists.clear();
    return search();
  }

  private async search(
    kind: string,
    group: string | undefined,
    signal: AbortSignal,
  ): Promise<Resource[]> {
    const all: Group[] = [
      { name: '', versions: [{ version: 'v1' }] },
      ...(await this.groups(signal)),
    ];
    const asked = all.filter(({ name }) => group === undefined || name === group);
    const found = await Promise.all(
      asked.map(async ({ name, versions, preferredVersion }) => {
        const ordered = [
          ...(preferredVersion === undefined ? [] : [preferredVersion]),
          ...versions,
        ].map(({ version }) => version);
        for (const version of new Set(ordered)) {
          const one = resourceIn(await this.listOf(name, version, signal), name, version, kind);
          if (one !== undefined) return [one];
        }
        return [];
      }),
    );
    return found.flat();
  }

  private async groups(signal: AbortSignal): Promise<readonly Group[]> {
    const { groups } = await this.cluster.json<{ groups: readonly Group[] }>(
      'asking which APIs there are',
      { path: '/apis' },
      signal,
    );
    return groups;
  }

  private async listOf(group: string, version: string, signal: AbortSignal): Promise<ResourceList> {
    const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const asking =
      this.lists.get(path) ??
      this.cluster
        .json<ResourceList>('asking which kinds there are', { path }, signal)
        .catch((error: unknown): ResourceList => {
          // an API of an extension that is away, or none of that name
          if ([404, 503].includes(statusOf(error) ?? 0)) return {};
          throw error;
        });
    this.lists.set(path, asking);
    try {
      const list = await asking;
      if (list.resources === undefined) this.lists.delete(path);
      return list;
    } catch (error) {
      this.lists.delete(path);
      throw error;
    }
  }
}

function resourceIn(
  { resources = [] }: ResourceList,
  group: string,
  version: string,
  kind: string,
): Resource | undefined {
  const found = resources.find((one) => one.kind === kind && !one.name.includes('/'));
  return found && { group, version, kind, plural: found.name, namespaced: found.namespaced };
}
