import { nameOf, type ContainerInfo } from './engine.js';

/** Host settings that may be `container:<id>`: the namespace of another container is used. */
const NAMESPACE_MODES = ['NetworkMode', 'IpcMode', 'PidMode', 'Cgroup'] as const;
const OF_CONTAINER = 'container:';

/** The other containers that the settings of one name, as it names them: a name or an id. */
export function namedContainers({ HostConfig }: ContainerInfo): string[] {
  const modes = NAMESPACE_MODES.flatMap((key) => {
    const mode = HostConfig[key] ?? '';
    return mode.startsWith(OF_CONTAINER) ? [mode.slice(OF_CONTAINER.length)] : [];
  });
  const from = ((HostConfig.VolumesFrom ?? []) as string[]).map(containerOf);
  const linked = ((HostConfig.Links ?? []) as string[]).map((link) => partsOf(link).name);
  return [...new Set([...modes, ...from, ...linked])];
}

/** Settings that lead into another container's namespace lead into that of the one which took its place. */
export function namespaceModes(
  { HostConfig }: ContainerInfo,
  referred: ReadonlyMap<string, ContainerInfo>,
): Record<string, string> {
  return Object.fromEntries(
    NAMESPACE_MODES.flatMap((key) => {
      const mode = HostConfig[key] ?? '';
      if (!mode.startsWith(OF_CONTAINER)) return [];
      const other = referred.get(mode.slice(OF_CONTAINER.length));
      return other === undefined ? [] : [[key, `${OF_CONTAINER}${other.Id}`]];
    }),
  );
}

/** Asked for as `name:alias`, answered as `/name:/own-name/alias`; the answer follows a container that is renamed. */
export function links(
  value: unknown,
  referred: ReadonlyMap<string, ContainerInfo>,
): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.map((link) => {
    const { name, alias } = partsOf(String(link));
    const other = referred.get(name);
    return `${other === undefined ? name : nameNow(name, other)}:${alias}`;
  });
}

/** How a setting names the container that stands today for the one which it named. */
export function nameNow(reference: string, container: ContainerInfo): string {
  return reference === container.Id ? reference : nameOf(container);
}

/** Name of the container in an entry of `VolumesFrom`: `name[:mode]`. */
export function containerOf(entry: string): string {
  return entry.split(':')[0] ?? entry;
}

function partsOf(link: string): { name: string; alias: string } {
  const [name = '', alias = ''] = link.split(':');
  return { name: name.replace(/^\//, ''), alias: alias.slice(alias.lastIndexOf('/') + 1) };
}
