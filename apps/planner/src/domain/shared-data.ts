import { posix } from 'node:path';
import { placeOf, type Instance } from './instances.js';
import type { ComponentSpec } from './planning-documents.js';
import type { SeenContainer } from './wanted-image.js';
import type { Problems } from './problems.js';

type Mount = SeenContainer['mounts'][number];

/** An instance with what was seen of it, and whether it is to be upgraded. */
export interface SeenInstance {
  readonly instance: Instance;
  readonly container: SeenContainer;
  readonly upgraded: boolean;
}

/** Where data lies: a volume, or a folder of the host. */
interface DataPlace {
  readonly kind: 'volume' | 'bind';
  readonly source: string;
}

export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);

/** Data that is reached by way of the container; what lies on a share is not. */
const pathsInside = ({ data }: ComponentSpec): readonly string[] =>
  data === undefined || data.folder !== undefined ? [] : data.paths;

/** The places of a path inside a container: of the mount that it lies on, and of those below it. */
function placesOf(path: string, mounts: readonly Mount[]): DataPlace[] {
  const wanted = posix.normalize(path);
  const above = mounts
    .filter(({ destination }) => isWithin(wanted, posix.normalize(destination)))
    .toSorted((a, b) => b.destination.length - a.destination.length)[0];
  const below = mounts.filter(
    (mount) => mount !== above && isWithin(posix.normalize(mount.destination), wanted),
  );
  const places =
    above === undefined
      ? []
      : [placeOn(above, posix.relative(posix.normalize(above.destination), wanted))];
  return [...places, ...below.map((mount) => placeOn(mount, ''))].filter(
    (place) => place !== undefined,
  );
}

function placeOn(mount: Mount, rest: string): DataPlace | undefined {
  switch (mount.kind) {
    case 'volume':
      return { kind: 'volume', source: mount.source };
    case 'bind':
      return { kind: 'bind', source: posix.join(mount.source, rest) };
    default:
      return undefined;
  }
}

function mounts(container: SeenContainer, place: DataPlace): boolean {
  return container.mounts.some(({ kind, source }) => {
    if (kind !== place.kind) return false;
    if (kind === 'volume') return source === place.source;
    return isWithin(source, place.source) || isWithin(place.source, source);
  });
}

const volumeKey = ({ instance }: SeenInstance, volume: string): string =>
  `${placeOf(instance.target)} ${volume}`;

/** Who mounts which volume: a host may have many instances, and nearly none shares one. */
class Sharers {
  private readonly mounters = new Map<string, SeenInstance | 'several'>();

  constructor(all: readonly SeenInstance[]) {
    for (const one of all) {
      for (const { kind, source } of one.container.mounts) {
        if (kind !== 'volume') continue;
        const key = volumeKey(one, source);
        const before = this.mounters.get(key);
        this.mounters.set(key, before === undefined || before === one ? one : 'several');
      }
    }
  }

  /** Whether nobody else can have it mounted; a folder may be mounted by way of another, so that each has to be looked at. */
  none(one: SeenInstance, { kind, source }: DataPlace): boolean {
    return kind === 'volume' && this.mounters.get(volumeKey(one, source)) === one;
  }
}

/**
 * Data that another instance of the application mounts too cannot be planned: a snapshot needs all of them stopped, and a restore
 * all of them down, but lanes do not wait for one another. Refused here, since it would fail half-way.
 */
export function refuseSharedData(all: readonly SeenInstance[], problems: Problems): void {
  const byPlace = Map.groupBy(all, ({ instance }) => placeOf(instance.target));
  const sharersOf = new Sharers(all);
  for (const one of all) {
    const { component, id, pointer } = one.instance;
    if (component.data === undefined || !one.upgraded) continue;
    const places = pathsInside(component).flatMap((path) => placesOf(path, one.container.mounts));
    if (places.every((place) => sharersOf.none(one, place))) continue;
    for (const other of byPlace.get(placeOf(one.instance.target)) ?? []) {
      if (other === one) continue;
      // what is stopped and stays so is not in the way
      if (!other.upgraded && !other.container.running) continue;
      const shared = places.find((place) => mounts(other.container, place));
      if (shared === undefined) continue;
      problems.add(
        'unplannable',
        pointer,
        `${id} and ${other.instance.id} share the ${shared.kind === 'volume' ? 'volume' : 'folder'} ${shared.source}, ` +
          `which is data of ${component.name}: its snapshot and its restore need both stopped, and instances are upgraded ` +
          `each for itself. Give each data of its own, or take \`data\` away from ${component.name} ` +
          '(then it is neither kept nor brought back)',
      );
    }
  }
}

/**
 * What stays old must not find its data under a new version, nor the new version what the old one goes on writing: neither of them is
 * locked for the other.
 */
export function refuseDataWithLeftOut(
  all: readonly SeenInstance[],
  leftOut: readonly SeenInstance[],
  problems: Problems,
): void {
  if (leftOut.length === 0) return;
  const byPlace = Map.groupBy(
    all.filter(({ upgraded }) => upgraded),
    ({ instance }) => placeOf(instance.target),
  );
  for (const out of leftOut) {
    for (const one of byPlace.get(placeOf(out.instance.target)) ?? []) {
      const shared = sharedBy(one, out);
      if (shared === undefined) continue;
      problems.add(
        'unplannable',
        '/exclude',
        `${out.instance.id} is to be left out and ${one.instance.id} is to be upgraded, and both have the ` +
          `${shared.kind === 'volume' ? 'volume' : 'folder'} ${shared.source}: leave both out, or neither`,
      );
    }
  }
}

/** Data of one of them that the other mounts, or a volume that both mount and one of them writes to. */
function sharedBy(one: SeenInstance, other: SeenInstance): DataPlace | undefined {
  const dataOf = ({ instance, container }: SeenInstance): DataPlace[] =>
    pathsInside(instance.component).flatMap((path) => placesOf(path, container.mounts));
  const found =
    dataOf(one).find((place) => mounts(other.container, place)) ??
    dataOf(other).find((place) => mounts(one.container, place));
  if (found !== undefined) return found;
  const volume = one.container.mounts.find(
    (mount) =>
      mount.kind === 'volume' &&
      other.container.mounts.some(
        ({ kind, source, writable }) =>
          kind === 'volume' && source === mount.source && (writable || mount.writable),
      ),
  );
  return volume === undefined ? undefined : { kind: 'volume', source: volume.source };
}

/** Of what lies on a share each instance has a part of its own: it is snapshot when that instance alone is down. */
export function refuseSharedFolders(all: readonly SeenInstance[], problems: Problems): void {
  const parts = all.flatMap(({ instance }) => {
    const { folder, paths = [] } = instance.component.data ?? {};
    if (folder === undefined) return [];
    return paths.map((path) => ({ instance, path: posix.join(folder, path) }));
  });
  for (const here of Map.groupBy(parts, ({ instance }) => instance.target.site).values()) {
    // what lies within another follows it
    const sorted = here.toSorted((a, b) => (`${a.path}/` < `${b.path}/` ? -1 : 1));
    let outer = sorted[0];
    for (const inner of sorted.slice(1)) {
      if (outer === undefined || !isWithin(inner.path, outer.path)) {
        outer = inner;
        continue;
      }
      problems.add(
        'unplannable',
        inner.instance.pointer,
        `${inner.path} is data of ${outer.instance.id} and of ${inner.instance.id}: what one of them has snapshot the other may be ` +
          'writing to. Give each folders of its own, or take the other out of `data`',
      );
    }
  }
}

/** Data outside every mount goes with its container, whatever a snapshot says. */
export function refuseUnmountedData(
  { instance, container }: SeenInstance,
  problems: Problems,
): void {
  for (const path of pathsInside(instance.component)) {
    if (placesOf(path, container.mounts).length > 0) continue;
    problems.add(
      'unplannable',
      instance.pointer,
      `data path ${path} of ${instance.id} is on no volume and no folder of the host, so that it would go with the container ` +
        `${instance.container}: mount a volume there, or correct spec.components.data.paths of ${instance.component.name}`,
    );
  }
}

/** Volumes and folders that an instance writes to, and that none of its data paths names. */
export function writtenBesides({ instance, container }: SeenInstance): string[] {
  // where a folder of a share is mounted in its pods is not told
  if (instance.component.data?.folder !== undefined) return [];
  const named = pathsInside(instance.component).map((path) => posix.normalize(path));
  return container.mounts
    .filter(({ kind, writable }) => writable && kind !== 'other')
    .map(({ destination }) => posix.normalize(destination))
    .filter(
      (destination) =>
        !named.some((path) => isWithin(destination, path) || isWithin(path, destination)),
    )
    .toSorted();
}
