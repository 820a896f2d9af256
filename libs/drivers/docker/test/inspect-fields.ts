/**
 * Where the value of every field that the engine's `inspect` answers comes from, in the new container. A field of a newer
 * engine that is not here makes the settings test fail: somebody has to think of it.
 *
 * - `kept`: as in the old container.
 * - `image`: as in the old container where it differs from the old image, else as the new image has it.
 * - `made`: the engine's own, for every container anew.
 * - `changed`: deliberately otherwise; the tests that say how are named by `why`.
 */
export type Origin =
  | { readonly from: 'kept'; readonly here?: string }
  | { readonly from: 'image' }
  | { readonly from: 'made' }
  | { readonly from: 'changed'; readonly why: string };

const KEPT: Origin = { from: 'kept' };
const IMAGE: Origin = { from: 'image' };
const MADE: Origin = { from: 'made' };
/** Kept, too; but no test on this engine can give it a value, for this reason. The create body is tested instead. */
const keptUnseen = (here: string): Origin => ({ from: 'kept', here });
const changed = (why: string): Origin => ({ from: 'changed', why });

const all = <T extends string>(origin: Origin, ...fields: T[]): Record<T, Origin> =>
  Object.fromEntries(fields.map((field) => [field, origin])) as Record<T, Origin>;

const WINDOWS = 'Windows only';
const KERNEL = 'the engine drops it where the kernel cannot do it, and test machines mostly cannot';

export const TOP_FIELDS: Readonly<Record<string, Origin>> = {
  ...all(MADE, 'Id', 'Created', 'Path', 'Args', 'State', 'Image', 'ResolvConfPath', 'HostnamePath'),
  ...all(MADE, 'HostsPath', 'LogPath', 'RestartCount', 'Driver', 'Platform', 'MountLabel'),
  ...all(MADE, 'ProcessLabel', 'AppArmorProfile', 'ExecIDs', 'GraphDriver', 'Storage'),
  ...all(MADE, 'SizeRw', 'SizeRootFs', 'ImageManifestDescriptor'),
  Name: KEPT,
};

export const CONFIG_FIELDS: Readonly<Record<string, Origin>> = {
  ...all(IMAGE, 'User', 'WorkingDir', 'StopSignal', 'Cmd', 'Entrypoint'),
  ...all(KEPT, 'AttachStdin', 'AttachStdout', 'AttachStderr', 'Tty', 'OpenStdin', 'StdinOnce'),
  ...all(KEPT, 'Domainname', 'NetworkDisabled', 'MacAddress', 'StopTimeout', 'OnBuild', 'Shell'),
  ArgsEscaped: keptUnseen(WINDOWS),
  Env: changed('variables of the user are kept, those of the image are the new one’s'),
  Labels: changed('labels of the user are kept, those of the image are the new one’s, and ours'),
  ExposedPorts: changed('ports of the user are kept, those of the image are the new one’s'),
  Volumes: changed('volumes of the user are kept, those of the image are the new one’s'),
  Healthcheck: changed('part by part: what differs from the old image’s is kept'),
  Hostname: changed('kept where a user set it, else the new container’s short id'),
  Image: changed('the new image’s ID: a tag may name another image by the time it starts'),
};

export const HEALTHCHECK_FIELDS: Readonly<Record<string, Origin>> = {
  ...all(IMAGE, 'Test', 'Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'),
};

export const HOST_CONFIG_FIELDS: Readonly<Record<string, Origin>> = {
  ...all(KEPT, 'LogConfig', 'NetworkMode', 'PortBindings', 'RestartPolicy', 'VolumesFrom'),
  ...all(KEPT, 'CapAdd', 'CapDrop', 'Dns', 'DnsOptions', 'DnsSearch', 'ExtraHosts', 'GroupAdd'),
  ...all(KEPT, 'IpcMode', 'OomScoreAdj', 'PidMode', 'Privileged', 'PublishAllPorts', 'Links'),
  ...all(KEPT, 'ReadonlyRootfs', 'SecurityOpt', 'Tmpfs', 'UTSMode', 'ShmSize', 'Sysctls'),
  ...all(KEPT, 'Runtime', 'Mounts', 'MaskedPaths', 'ReadonlyPaths', 'Init', 'CgroupnsMode'),
  ...all(KEPT, 'CpuShares', 'Memory', 'NanoCpus', 'CgroupParent', 'CpuPeriod', 'CpuQuota'),
  ...all(KEPT, 'CpusetCpus', 'CpusetMems', 'Devices', 'DeviceCgroupRules', 'DeviceRequests'),
  ...all(KEPT, 'MemoryReservation', 'MemorySwap', 'PidsLimit', 'Ulimits', 'VolumeDriver'),
  ...all(KEPT, 'UsernsMode', 'ConsoleSize'),
  Annotations: keptUnseen('of engines from 24 on'),
  ...all(keptUnseen(KERNEL), 'BlkioWeight', 'BlkioWeightDevice', 'BlkioDeviceReadBps'),
  ...all(keptUnseen(KERNEL), 'BlkioDeviceWriteBps', 'BlkioDeviceReadIOps', 'BlkioDeviceWriteIOps'),
  ...all(keptUnseen(KERNEL), 'CpuRealtimePeriod', 'CpuRealtimeRuntime', 'KernelMemory'),
  ...all(keptUnseen(KERNEL), 'KernelMemoryTCP', 'MemorySwappiness', 'OomKillDisable', 'StorageOpt'),
  ...all(keptUnseen(WINDOWS), 'Isolation', 'CpuCount', 'CpuPercent', 'IOMaximumIOps'),
  ...all(keptUnseen(WINDOWS), 'IOMaximumBandwidth'),
  Cgroup: keptUnseen('a mode that the engine never finished; it may name a container'),
  Binds: changed('anonymous volumes are named, so that the new container has the very same ones'),
  AutoRemove: changed('such a container is refused'),
  ContainerIDFile: changed('the file that `docker run --cidfile` wrote holds the old one’s id'),
};

export const NETWORK_FIELDS: Readonly<Record<string, Origin>> = {
  ...all(MADE, 'Bridge', 'SandboxID', 'SandboxKey', 'HairpinMode', 'LinkLocalIPv6Address'),
  ...all(MADE, 'LinkLocalIPv6PrefixLen', 'SecondaryIPAddresses', 'SecondaryIPv6Addresses'),
  ...all(MADE, 'EndpointID', 'Gateway', 'GlobalIPv6Address', 'GlobalIPv6PrefixLen', 'IPAddress'),
  ...all(MADE, 'IPPrefixLen', 'IPv6Gateway', 'MacAddress'),
  // what was asked for is HostConfig.PortBindings; a port that the engine chose is chosen anew
  Ports: MADE,
  Networks: changed('the same networks, each field by field'),
};

export const ENDPOINT_FIELDS: Readonly<Record<string, Origin>> = {
  ...all(KEPT, 'IPAMConfig', 'Links', 'Aliases', 'DriverOpts'),
  ...all(MADE, 'EndpointID', 'Gateway', 'IPAddress', 'IPPrefixLen', 'IPv6Gateway'),
  ...all(MADE, 'GlobalIPv6Address', 'GlobalIPv6PrefixLen', 'DNSNames'),
  NetworkID: KEPT,
  GwPriority: keptUnseen('of engines from 28 on'),
  MacAddress: changed('only where a user set it: of a stopped container nothing else is there'),
};

export const MOUNT_FIELDS: Readonly<Record<string, Origin>> = {
  ...all(KEPT, 'Type', 'Name', 'Source', 'Destination', 'Driver', 'RW', 'Propagation'),
  Mode: changed('of an anonymous volume that is named now, the engine’s default for named ones'),
};
