import type { ContainerInfo } from './engine.js';
import { containerOf, nameNow } from './settings-references.js';

type MountPoint = ContainerInfo['Mounts'][number];

interface MountRequest {
  readonly Type?: string;
  readonly Source?: string;
  readonly Target?: string;
}

export interface MountSettings {
  readonly Binds: string[];
  readonly Mounts: MountRequest[] | undefined;
  readonly VolumesFrom: string[] | undefined;
}

/**
 * The host settings that give a new container the very mounts of the old one: anonymous volumes are named (asked for again
 * as they were, the engine would make new, empty ones), and what came from a container that is gone is named itself.
 */
export function mountSettings(
  old: ContainerInfo,
  referred: ReadonlyMap<string, ContainerInfo>,
): MountSettings {
  const { HostConfig } = old;
  const binds = HostConfig.Binds ?? [];
  const requested = (HostConfig.Mounts ?? []) as unknown as MountRequest[];
  const sources = ((HostConfig.VolumesFrom ?? []) as string[]).flatMap((entry) => {
    const source = referred.get(containerOf(entry));
    return source === undefined ? [] : [{ entry, source }];
  });
  const from = sources.map(({ entry, source }) => {
    const reference = containerOf(entry);
    return nameNow(reference, source) + entry.slice(reference.length);
  });
  const inherited = sources.flatMap(({ source }) => source.Mounts);
  const effective = new Map(old.Mounts.map((mount) => [clean(mount.Destination), mount]));
  const named = requested.map((request) => nameVolume(request, effective));
  const explained = new Set([
    ...binds.map(destinationOf),
    ...requested.map(({ Target }) => clean(Target ?? '')),
    ...Object.keys(HostConfig.Tmpfs ?? {}).map(clean),
  ]);
  const unexplained = old.Mounts.filter(
    (mount) =>
      (mount.Type === 'volume' || mount.Type === 'bind') &&
      !explained.has(clean(mount.Destination)) &&
      !inherited.some((other) => sameMount(other, mount)),
  );
  return {
    Binds: [...binds, ...unexplained.map(asBind)],
    Mounts: named.length === 0 ? undefined : named,
    VolumesFrom: from.length === 0 ? undefined : from,
  };
}

function nameVolume(
  request: MountRequest,
  effective: ReadonlyMap<string, MountPoint>,
): MountRequest {
  const name = effective.get(clean(request.Target ?? ''))?.Name;
  const anonymous = request.Type === 'volume' && (request.Source ?? '') === '';
  return anonymous && name !== undefined ? { ...request, Source: name } : request;
}

function asBind(mount: MountPoint): string {
  const source = mount.Type === 'volume' ? (mount.Name ?? mount.Source) : mount.Source;
  const options = [
    ...(mount.RW ? [] : ['ro']),
    // the engine's own default needs no saying, and volumes have none
    ...(mount.Type === 'bind' && !['', 'rprivate'].includes(mount.Propagation)
      ? [mount.Propagation]
      : []),
  ];
  return [source, mount.Destination, ...(options.length === 0 ? [] : [options.join(',')])].join(
    ':',
  );
}

/** `source:destination[:options]` */
function destinationOf(bind: string): string {
  return clean(bind.split(':')[1] ?? bind);
}

function sameMount(one: MountPoint, other: MountPoint): boolean {
  return (
    clean(one.Destination) === clean(other.Destination) &&
    one.Name === other.Name &&
    one.Source === other.Source
  );
}

function clean(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}
