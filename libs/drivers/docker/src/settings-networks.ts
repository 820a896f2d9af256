import type Docker from 'dockerode';
import type { ContainerInfo } from './engine.js';

type Endpoint = Docker.EndpointSettings;

export interface NetworkSettings {
  /** What the create call is given: engines before API 1.44 take one network there. */
  readonly primary: Readonly<Record<string, Endpoint>>;
  /** Joined after creating, before starting. */
  readonly further: ReadonlyArray<{ readonly network: string; readonly endpoint: Endpoint }>;
  /** Left after creating: the old container was taken out of the network that it was made with. */
  readonly leave: string | undefined;
}

/** The networks of the stopped old container, with its aliases and static addresses. */
export function networkSettings(old: ContainerInfo): NetworkSettings {
  const mode = old.HostConfig.NetworkMode ?? 'default';
  const networks = Object.entries(old.NetworkSettings.Networks);
  if (mode === 'host' || mode === 'none' || mode.startsWith('container:'))
    return { primary: {}, further: [], leave: undefined };
  const primary = networks.find(([name, { NetworkID }]) => isMode(mode, name, NetworkID));
  const further = networks
    .filter((entry) => entry !== primary)
    .map(([network, endpoint]) => ({ network, endpoint: endpointOf(old, endpoint) }));
  if (primary === undefined)
    return { primary: {}, further, leave: mode === 'default' ? 'bridge' : mode };
  const endpoint = endpointOf(old, primary[1]);
  return {
    primary:
      Object.keys(endpoint).length === 0
        ? {}
        : { [mode === 'default' ? 'bridge' : mode]: endpoint },
    further,
    leave: undefined,
  };
}

function isMode(mode: string, name: string, id: string): boolean {
  return name === mode || (mode === 'default' && name === 'bridge') || (id !== '' && id === mode);
}

/** What a person set, without what the engine answers besides. */
function endpointOf(old: ContainerInfo, present: Endpoint): Endpoint {
  // engines before 25 list the container's own short id among the aliases
  const aliases = (present.Aliases ?? []).filter((alias) => alias !== old.Id.slice(0, 12));
  return {
    ...(aliases.length === 0 ? {} : { Aliases: aliases }),
    ...(present.IPAMConfig === null ||
    present.IPAMConfig === undefined ||
    Object.keys(present.IPAMConfig).length === 0
      ? {}
      : { IPAMConfig: present.IPAMConfig }),
    ...(present.Links === null || present.Links === undefined ? {} : { Links: present.Links }),
    ...(present.DriverOpts === null || present.DriverOpts === undefined
      ? {}
      : { DriverOpts: present.DriverOpts }),
    // of a stopped container it is there only if a person set it
    ...(present.MacAddress === undefined || present.MacAddress === ''
      ? {}
      : { MacAddress: present.MacAddress }),
    ...gatewayPriority(present),
  };
}

/** Of engines from 28 on: the network of the highest one has the default gateway. */
function gatewayPriority(present: object): { GwPriority?: number } {
  const priority = 'GwPriority' in present ? present.GwPriority : 0;
  return typeof priority === 'number' && priority !== 0 ? { GwPriority: priority } : {};
}
