import { realpath } from 'node:fs/promises';
import type Docker from 'dockerode';
import type { StepContext } from '#drivers/core';
import { isWithin } from '#drivers/data';
import type { ContainerPlaces } from './data-places.js';
import type { Engine } from './engine.js';
import { LABELS } from './labels.js';

type Volume = Docker.VolumeInspectInfo;

/** How one mount reaches data: the volume, the folders on the host, the device behind it. */
interface Reach {
  readonly volume: string | undefined;
  readonly folders: readonly string[];
  readonly device: string | undefined;
}

interface Mounted {
  readonly Type?: string | undefined;
  readonly Name?: string | undefined;
  readonly Source?: string | undefined;
}

/**
 * Names of the containers that run, are paused or restart, and mount any of the data: by the same volume, by a folder above
 * or below, or by another volume on the same device. Our own helper does not count.
 */
export async function usersOf(
  engine: Engine,
  context: StepContext,
  places: ContainerPlaces,
): Promise<string[]> {
  const [{ Volumes }, containers] = await Promise.all([
    engine.call('listing the volumes', context.signal, (docker, options) =>
      docker.listVolumes({ ...options }),
    ),
    engine.call('listing the containers', context.signal, (docker, options) =>
      docker.listContainers({
        filters: { status: ['running', 'paused', 'restarting'] },
        ...options,
      }),
    ),
  ]);
  const volumes = new Map((Volumes ?? []).map((volume) => [volume.Name, volume]));
  const mayLink = [...places.mountPoints, ...containers.flatMap(({ Mounts }) => Mounts)].some(
    (mount) => !isPlainVolume(mount, volumes),
  );
  const data = await Promise.all(
    places.parts.map(({ mount, below }) => reachOf(mount, volumes, below, mayLink)),
  );
  const users: string[] = [];
  for (const container of containers) {
    if (isOwnHelper(container, context)) continue;
    const reaches = await Promise.all(
      container.Mounts.map((mount) => reachOf(mount as Mounted, volumes, '', mayLink)),
    );
    if (reaches.some((one) => data.some((other) => meet(one, other))))
      users.push((container.Names[0] ?? container.Id).replace(/^\//, ''));
  }
  return users.sort();
}

function isOwnHelper(container: Docker.ContainerInfo, context: StepContext): boolean {
  return (
    container.Labels[LABELS.role] === 'helper' &&
    container.Labels[LABELS.upgrade] === context.upgrade &&
    container.Labels[LABELS.step] === context.stepId &&
    container.Labels[LABELS.token] === String(context.token)
  );
}

/** A folder that the engine made: no two of them are one, and what a link leads to is none. */
function isPlainVolume(
  { Type, Name }: { readonly Type?: string | undefined; readonly Name?: string | undefined },
  volumes: ReadonlyMap<string, Volume>,
): boolean {
  const known = Type === 'volume' && Name ? volumes.get(Name) : undefined;
  return known?.Driver === 'local' && Object.keys(known.Options ?? {}).length === 0;
}

/** @param mayLink whether two paths may be one folder */
async function reachOf(
  mount: Mounted,
  volumes: ReadonlyMap<string, Volume>,
  below: string,
  mayLink: boolean,
): Promise<Reach> {
  const volume = mount.Type === 'volume' && mount.Name ? mount.Name : undefined;
  const known = volume === undefined ? undefined : volumes.get(volume);
  const options = known?.Options ?? undefined;
  const bound = /(?:^|,)r?bind(?:,|$)/.test(options?.['o'] ?? '') ? options?.['device'] : undefined;
  const roots = [known?.Mountpoint ?? mount.Source, bound].filter(
    (root): root is string => root !== undefined && root.startsWith('/'),
  );
  const folders = roots.map((root) => (below === '' ? root : `${root}/${below}`));
  const device =
    bound === undefined && options?.['device']
      ? `${options['type'] ?? ''} ${options['device']}`
      : undefined;
  const real = mayLink ? await resolved(folders) : [];
  return { volume, folders: [...folders, ...real], device };
}

/** Where links lead, as far as this machine is the engine's: two paths may be one folder. */
async function resolved(folders: readonly string[]): Promise<string[]> {
  const real = await Promise.all(folders.map((folder) => realpath(folder).catch(() => folder)));
  return real.filter((folder, i) => folder !== folders[i]);
}

function meet(one: Reach, other: Reach): boolean {
  return (
    (one.volume !== undefined && one.volume === other.volume) ||
    (one.device !== undefined && one.device === other.device) ||
    one.folders.some((a) => other.folders.some((b) => isWithin(a, b) || isWithin(b, a)))
  );
}
