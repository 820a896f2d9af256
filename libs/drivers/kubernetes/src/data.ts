import { buffer } from 'node:stream/consumers';
import type {
  DataDriver,
  DataHolder,
  DataOrigin,
  DataSource,
  FolderUse,
  StepContext,
} from '#drivers/core';
import {
  archiverOf,
  firstLineOf,
  optionalToolNames,
  toolNames,
  type DataTools,
  ScriptedDataDriver,
  type ScriptedData,
} from '#drivers/data';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import type { Clusters } from './clusters.js';
import { claimPlaces, type ClaimPlaces } from './data-places.js';
import { podsUsing } from './data-users.js';
import {
  isHelperOf,
  removeHelper,
  removeLeftovers,
  startHelper,
  type HelperPlace,
} from './helper-pod.js';
import { containerIn, parseInstance, plannedWorkload, type InstanceName } from './instance.js';
import { mountsOf } from './mounts.js';
import type { KubeObject, Pod, PodContainer, Volume, Workload } from './objects.js';
import { hasEnded } from './pod-state.js';
import { PodScripts, type UsedPod } from './pod-scripts.js';
import { RESOURCES } from './resources.js';
import { isStopped } from './scale.js';

/** One that is not used goes after so long, in milliseconds: to start it takes longer. */
const LINGER_MS = 2_000;
/** Used by what brings the input, besides the scripts' own tools. */
const ALSO = ['head', 'sleep'];

interface Place {
  readonly cluster: Cluster;
  readonly instance: InstanceName;
  readonly workload: Workload;
  readonly container: PodContainer;
}

/** A helper pod of an attempt. */
interface Helper {
  readonly pod: Promise<Pod>;
  users: number;
  timer?: NodeJS.Timeout;
  /** Has it removed; never an error. */
  leave(): Promise<void>;
}

/** The data of a workload on its PersistentVolumeClaims, read and written by a helper pod that mounts them, too. */
export class KubernetesData extends ScriptedDataDriver {
  readonly folders: FolderUse;
  private readonly helpers = new WeakMap<StepContext, Map<string, Helper>>();
  /** Those that nobody has removed yet, of all attempts. */
  private readonly present = new Set<Helper>();
  private readonly tools = new Map<string, Promise<DataTools>>();

  /** @param image of helper pods: with sh, GNU tar, zstd, find and so on */
  constructor(
    private readonly clusters: Clusters,
    private readonly image: string | undefined,
  ) {
    super();
    this.folders = {
      usedBy: async (context, source) => {
        const place = await this.place(context, source);
        const { cluster, instance } = place;
        const volumes = await this.writtenVolumes(context, place);
        return podsUsing(cluster, context, instance.namespace, volumes, () => false);
      },
      // pods that are gone have left nothing that would tell
      isAsLeft: () => Promise.resolve(false),
      image: async (context, source) => imageOf((await this.place(context, source)).container),
    };
  }

  /** Its pods may be there for a while after none is wanted any more: `usedBy` tells. */
  async look(
    context: StepContext,
    { container }: Pick<DataSource, 'container'>,
  ): Promise<DataHolder> {
    const cluster = this.clusters.of(context.target);
    const workload = await plannedWorkload(cluster, { container }, context.signal);
    const isDown = isStopped({ instance: parseInstance(container) }, workload);
    return { state: isDown ? 'stopped' : 'running', containerId: workload.metadata.uid };
  }

  async usedBy(context: StepContext, source: DataSource): Promise<string[]> {
    const { cluster, instance } = await this.place(context, source);
    await removeLeftovers(cluster, context, source.container);
    const { volumes } = await this.places(context, source);
    return podsUsing(cluster, context, instance.namespace, volumes, (pod) =>
      isHelperOf(context, pod),
    );
  }

  /** Pods that are gone have left nothing that would tell. */
  isAsLeft(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async origin(context: StepContext, source: DataSource): Promise<DataOrigin> {
    const { instance, workload, container } = await this.place(context, source);
    const { mounts } = await this.places(context, source);
    const image = imageOf(container);
    return {
      ...(image === undefined ? {} : { image }),
      mounts: mountsOf(instance, workload.spec.template, container)
        .filter(({ destination }) => mounts.includes(destination))
        .map(({ destination, kind, source: from }) => ({
          ...{ destination, kind: kind === 'volume' ? kind : 'bind', source: from },
        })),
    };
  }

  archiver(
    _context: StepContext,
    source: Pick<DataSource, 'plain'>,
  ): ReturnType<DataDriver['archiver']> {
    return Promise.resolve(archiverOf({ versions: { helper: this.helperImage() } }, source));
  }

  /** No helper is left behind: none is of use to anybody else. */
  async close(): Promise<void> {
    for (const { timer } of this.present) clearTimeout(timer);
    await Promise.all([...this.present].map((helper) => helper.leave()));
  }

  protected async data(context: StepContext, source: DataSource): Promise<ScriptedData> {
    const { cluster } = await this.place(context, source);
    const places = await this.places(context, source);
    const use = (): Promise<UsedPod> => this.use(context, source, places);
    const runner = new PodScripts(cluster, context, use);
    const tools = await this.probe(cluster, runner);
    return { of: source.container, tools, places, runner, plain: source.plain };
  }

  /** The attempt's pod: it stays for a moment after each use, and goes at once with its attempt. */
  private async use(
    context: StepContext,
    source: DataSource,
    places: ClaimPlaces,
  ): Promise<UsedPod> {
    const { cluster, workload } = await this.place(context, source);
    const all = this.helpers.get(context) ?? new Map<string, Helper>();
    this.helpers.set(context, all);
    const key = JSON.stringify([source.container, source.paths]);
    const helper = all.get(key) ?? this.helper(context, source, { cluster, workload }, places);
    all.set(key, helper);
    clearTimeout(helper.timer);
    helper.users += 1;
    const remove = (): void => {
      if (all.get(key) === helper) all.delete(key);
      void helper.leave();
    };
    try {
      const pod = await helper.pod;
      return {
        pod,
        done: (isBroken) => {
          helper.users -= 1;
          if (isBroken || context.signal.aborted) remove();
          else if (helper.users === 0) helper.timer = setTimeout(remove, LINGER_MS);
        },
      };
    } catch (error) {
      remove();
      throw error;
    }
  }

  private helper(
    context: StepContext,
    source: DataSource,
    { cluster, workload }: Pick<Place, 'cluster' | 'workload'>,
    places: ClaimPlaces,
  ): Helper {
    const pod = this.start(cluster, context, source, workload, places);
    let left: Promise<void> | undefined;
    const leave = async (): Promise<void> => {
      await pod.then((one) => removeHelper(cluster, context, one)).catch(() => undefined);
      this.present.delete(helper);
    };
    const helper: Helper = { pod, users: 0, leave: () => (left ??= leave()) };
    this.present.add(helper);
    return helper;
  }

  private async start(
    cluster: Cluster,
    context: StepContext,
    { container }: DataSource,
    workload: Workload,
    places: ClaimPlaces,
  ): Promise<Pod> {
    const { template } = workload.spec;
    const node = await nodeOf(cluster, context, parseInstance(container).namespace, places);
    const place: HelperPlace = { container, template, places, node, image: this.helperImage() };
    return startHelper(cluster, context, place);
  }

  /** What the helper's image has, asked once. @throws LiftlockError `misconfigured` naming what it lacks */
  private probe(cluster: Cluster, runner: PodScripts): Promise<DataTools> {
    const key = `${cluster.endpoint} ${this.helperImage()}`;
    const known = this.tools.get(key) ?? this.askTools(runner);
    this.tools.set(key, known);
    known.catch(() => this.tools.delete(key));
    return known;
  }

  private async askTools(runner: PodScripts): Promise<DataTools> {
    const image = this.helperImage();
    const needed = [...toolNames, ...ALSO];
    const script = [
      `for tool in ${needed.join(' ')}; do command -v "$tool" >/dev/null || { echo "has no $tool" >&2; exit 3; }; done`,
      `case "$(tar --version)" in *'GNU tar'*) ;; *) echo 'has no GNU tar' >&2; exit 3 ;; esac`,
      `find / -maxdepth 0 -printf '' || { echo 'has no GNU find' >&2; exit 3; }`,
      ...optionalToolNames.map((tool) => `command -v ${tool} >/dev/null && echo ${tool}; :`),
    ].join('\n');
    const failed = (_exitCode: number, stderr: string): LiftlockError =>
      new LiftlockError(
        'misconfigured',
        `the image ${image} of helper pods (LIFTLOCK_HELPER_IMAGE of the backup service) ${stderr || 'has no tools'}: it needs ${needed.join(', ')}, the GNU ones; ` +
          'Debian’s packages tar, zstd, findutils, coreutils and attr bring them',
        { details: { image } },
      );
    const what = 'looking for the tools of the helper image';
    const found = await buffer(await runner.forOutput({ script, what, writes: false, failed }));
    const optional = found.toString('utf8').split('\n').map(firstLineOf);
    const all = [...toolNames, ...optionalToolNames.filter((tool) => optional.includes(tool))];
    const start: unknown = Object.fromEntries(all.map((tool) => [tool, [tool]]));
    return { start: start as DataTools['start'], versions: {} };
  }

  private helperImage(): string {
    if (this.image !== undefined) return this.image;
    throw new LiftlockError(
      'misconfigured',
      'data on PersistentVolumeClaims is read and written by a helper pod: name its image, with sh, GNU tar, zstd, find, sha256sum and getfattr, in LIFTLOCK_HELPER_IMAGE of the backup service',
    );
  }

  private async place(context: StepContext, source: DataSource): Promise<Place> {
    const cluster = this.clusters.of(context.target);
    const workload = await plannedWorkload(cluster, source, context.signal);
    const instance = parseInstance(source.container);
    return {
      ...{ cluster, instance, workload },
      container: containerIn(cluster, instance, workload.spec.template),
    };
  }

  private async places(context: StepContext, source: DataSource): Promise<ClaimPlaces> {
    const place = await this.place(context, source);
    const { instance, workload, container } = place;
    const claims = await this.claimsOf(context, place);
    return claimPlaces(instance, workload.spec.template, container, source.paths, claims);
  }

  /** Nobody says which of them is the share: what the container may only read is no data of its own. */
  private async writtenVolumes(context: StepContext, place: Place): Promise<readonly Volume[]> {
    const { workload, container } = place;
    const claims = await this.claimsOf(context, place);
    const written = new Set(
      (container.volumeMounts ?? [])
        .filter(({ readOnly }) => readOnly !== true)
        .map(({ name }) => name),
    );
    return [
      ...(workload.spec.template.spec.volumes ?? []),
      ...[...claims].map(([name, claimName]) => ({ name, persistentVolumeClaim: { claimName } })),
    ].filter(({ name }) => written.has(name));
  }

  /** Of a StatefulSet's templates, by their names. @throws LiftlockError `invalid_step` where each of several pods has its own */
  private async claimsOf(
    context: StepContext,
    { cluster, instance, workload }: Pick<Place, 'cluster' | 'instance' | 'workload'>,
  ): Promise<ReadonlyMap<string, string>> {
    const templates = (workload.spec.volumeClaimTemplates ?? []).map(
      ({ metadata }) => metadata.name,
    );
    if (templates.length === 0) return new Map();
    const { namespace, name } = instance;
    const all = await cluster.list<KubeObject>(
      RESOURCES.persistentVolumeClaims,
      { namespace },
      context.signal,
    );
    const names = new Set(all.map(({ metadata }) => metadata.name));
    if (templates.some((template) => names.has(`${template}-${name}-1`)))
      throw new LiftlockError(
        'invalid_step',
        `each pod of the StatefulSet ${name} in ${namespace} has claims of its own: only the data of a single one can be backed up`,
      );
    return new Map(templates.map((template) => [template, `${template}-${name}-0`]));
  }
}

/** Where a pod that is not ours runs on the same claims: one that can be mounted on one node only is mounted there. */
async function nodeOf(
  cluster: Cluster,
  context: StepContext,
  namespace: string,
  { volumes }: ClaimPlaces,
): Promise<string | undefined> {
  const claims = new Set(volumes.map((volume) => volume.persistentVolumeClaim?.claimName));
  claims.delete(undefined);
  const pods = await cluster.list<Pod>(RESOURCES.pods, { namespace }, context.signal);
  return pods
    .filter((pod) => !hasEnded(pod))
    .find(({ spec }) =>
      (spec.volumes ?? []).some((volume) => claims.has(volume.persistentVolumeClaim?.claimName)),
    )?.spec.nodeName;
}

function imageOf({ image }: PodContainer): DataOrigin['image'] {
  return { reference: image, id: '', digests: image.includes('@sha256:') ? [image] : [] };
}
