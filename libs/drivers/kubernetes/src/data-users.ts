import type { StepContext } from '#drivers/core';
import { isWithin } from '#drivers/data';
import type { Cluster } from './cluster.js';
import { statusOf } from './errors.js';
import type { KubeObject, Pod, Volume } from './objects.js';
import { hasEnded } from './pod-state.js';
import { RESOURCES } from './resources.js';

/** One way to data: two meet that are the same claim, or one folder within the other on the same server or kind of disk. */
interface Reach {
  readonly claim?: string;
  readonly at?: { readonly on: string; readonly path: string };
}

interface Claim extends KubeObject {
  readonly spec: { readonly volumeName?: string };
}
interface PersistentVolume extends KubeObject {
  readonly spec: Volume & {
    readonly local?: { readonly path: string };
    readonly csi?: { readonly driver: string; readonly volumeHandle: string };
  };
}

/**
 * Names of the pods that have not ended and mount any of these volumes, whoever made them: by the same claim, or by another way to the same
 * share. Those of other namespaces, and what is behind a claim, are seen as far as the account may look.
 * @param own whether a pod is a helper of this attempt
 */
export async function podsUsing(
  cluster: Cluster,
  context: StepContext,
  namespace: string,
  volumes: readonly Volume[],
  own: (pod: Pod) => boolean,
): Promise<string[]> {
  const look = new Look(cluster, context);
  const data = await look.reaches(namespace, volumes);
  const users: string[] = [];
  for (const pod of await look.pods(namespace)) {
    if (hasEnded(pod) || own(pod)) continue;
    const where = pod.metadata.namespace ?? namespace;
    const reaches = await look.reaches(where, pod.spec.volumes ?? []);
    if (!reaches.some((one) => data.some((other) => meet(one, other)))) continue;
    users.push(where === namespace ? pod.metadata.name : `${where}/${pod.metadata.name}`);
  }
  return users.toSorted();
}

/** What is looked up once. */
class Look {
  private readonly behind = new Map<string, Promise<Reach | undefined>>();

  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
  ) {}

  async pods(namespace: string): Promise<readonly Pod[]> {
    const { cluster, context } = this;
    const all = await this.ifAllowed('in other namespaces: pods of theirs are not seen', () =>
      cluster.list<Pod>(RESOURCES.pods, {}, context.signal),
    );
    return all ?? cluster.list<Pod>(RESOURCES.pods, { namespace }, context.signal);
  }

  async reaches(namespace: string, volumes: readonly Volume[]): Promise<Reach[]> {
    const found = volumes.map(async (volume): Promise<Reach[]> => {
      const name = volume.persistentVolumeClaim?.claimName;
      if (name === undefined) return [reachOf(volume)].filter((one) => one !== undefined);
      const claim = `${namespace}/${name}`;
      const known = this.behind.get(claim) ?? this.lookBehind(namespace, name);
      this.behind.set(claim, known);
      const behind = await known;
      return [{ claim }, ...(behind === undefined ? [] : [behind])];
    });
    return (await Promise.all(found)).flat();
  }

  private lookBehind(namespace: string, name: string): Promise<Reach | undefined> {
    const { cluster, context } = this;
    return this.ifAllowed('at volumes: other ways to the same share are not seen', async () => {
      const claim = await cluster.get<Claim>(
        RESOURCES.persistentVolumeClaims,
        { namespace, name },
        context.signal,
      );
      const volume = claim?.spec.volumeName;
      if (volume === undefined) return undefined;
      const found = await cluster.get<PersistentVolume>(
        RESOURCES.persistentVolumes,
        { name: volume },
        context.signal,
      );
      return found === undefined ? undefined : reachOf(found.spec);
    });
  }

  private async ifAllowed<T>(what: string, look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
      this.context.log(
        `the account may not look ${what} (bind liftlock-volumes of deploy/kubernetes/role.yaml)`,
        'warn',
      );
      return undefined;
    }
  }
}

function reachOf(volume: PersistentVolume['spec'] | Volume): Reach | undefined {
  const { nfs, hostPath } = volume;
  const { local, csi } = volume as Partial<PersistentVolume['spec']>;
  if (nfs !== undefined) return { at: { on: `nfs ${nfs.server}`, path: nfs.path } };
  // nodes may have the same share mounted at the same path
  const path = hostPath?.path ?? local?.path;
  if (path !== undefined) return { at: { on: 'node', path } };
  if (csi !== undefined) return { at: { on: `csi ${csi.driver} ${csi.volumeHandle}`, path: '/' } };
  return undefined;
}

function meet(one: Reach, other: Reach): boolean {
  if (one.claim !== undefined && one.claim === other.claim) return true;
  const [a, b] = [one.at, other.at];
  if (a === undefined || b === undefined || a.on !== b.on) return false;
  return isWithin(a.path, b.path) || isWithin(b.path, a.path);
}
