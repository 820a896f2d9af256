import { isDeepStrictEqual } from 'node:util';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dockerDriver } from '#drivers/docker';
import type { Driver } from '#drivers/core';
import { cleanUp, openEngine, type ContainerInfo } from '../../../../test/support/engine-client.js';
import { importImage } from '../../../../test/support/service-image.js';
import { contextOf } from '../../../../test/support/step-context.js';
import {
  CONFIG_FIELDS,
  ENDPOINT_FIELDS,
  HEALTHCHECK_FIELDS,
  HOST_CONFIG_FIELDS,
  MOUNT_FIELDS,
  NETWORK_FIELDS,
  TOP_FIELDS,
  type Origin,
} from './inspect-fields.js';

const PREFIX = 'dkfield';
const OLD = `liftlock-test-fields:1`;
const NEW = `liftlock-test-fields:2`;
let docker: Docker;
let endpoint: string;
let driver: Driver;
let newImage: string;

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields => (value ?? {}) as Fields;

const image = (version: string): string[] => [
  'ENV PATH=/bin',
  `ENV VERSION=${version}`,
  `LABEL image.version=${version}`,
  `WORKDIR /image-${version}`,
  'USER 0:0',
  `EXPOSE 80${version}0`,
  `VOLUME /image-${version}`,
  `CMD ["/bin/sh", "-c", "trap 'exit 0' TERM INT; echo ${version}; sleep 600 & wait"]`,
  `HEALTHCHECK --interval=${version}h CMD ["/bin/echo", "${version}"]`,
];

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  await importImage(docker, OLD, image('1'));
  newImage = await importImage(docker, NEW, image('2'));
});
afterEach(() => cleanUp(docker, PREFIX));
afterAll(async () => {
  await driver?.close();
  for (const reference of [OLD, NEW]) await docker.getImage(reference).remove({ force: true });
});

interface Pair {
  readonly old: ContainerInfo;
  readonly fresh: ContainerInfo;
}

/** Replaces a container that need not be able to start: what counts is how the new one was made. */
async function replaceOf(name: string, settings: object): Promise<Pair> {
  const container = `${PREFIX}-${name}`;
  const made = await docker.createContainer({ name: container, Image: OLD, ...settings });
  await made.start().catch(() => undefined);
  const before = await made.inspect();
  const context = contextOf(endpoint);
  const planned = { container, containerId: made.id };
  await driver.instances.stop(context, { ...planned, stopTimeoutSeconds: 1 });
  // what only a run gives it (addresses) is gone by now; the restart policy, too, which is held back
  const old = { ...before, NetworkSettings: (await made.inspect()).NetworkSettings };
  await driver.instances
    .replace(context, {
      ...planned,
      keptName: `${container}-kept`,
      image: { reference: NEW, id: newImage },
      env: {},
    })
    .catch((error: unknown) => context.log(String(error)));
  const fresh = await docker.getContainer(container).inspect();
  expect({ id: fresh.Id === old.Id, lines: context.lines }).toMatchObject({ id: false });
  return { old, fresh };
}

/** The engine answers nothing, `null` or something empty for what was never set, as it likes. */
function plain(value: unknown): unknown {
  if (value === null || value === undefined || value === '') return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  if (typeof value === 'object') return Object.keys(value).length === 0 ? undefined : value;
  return value;
}

function compare(
  where: string,
  table: Readonly<Record<string, Origin>>,
  values: { old: unknown; fresh: unknown; oldImage?: unknown; newImage?: unknown },
): string[] {
  const [old, fresh, oldImage, newImageFields] = [
    fields(values.old),
    fields(values.fresh),
    fields(values.oldImage),
    fields(values.newImage),
  ];
  return [...new Set([...Object.keys(old), ...Object.keys(fresh)])].flatMap((field) => {
    const origin = table[field];
    if (origin === undefined)
      return [`${where}.${field} is new: decide what becomes of it in inspect-fields.ts`];
    if (origin.from === 'made' || origin.from === 'changed') return [];
    const isUsers = !isDeepStrictEqual(plain(old[field]), plain(oldImage[field]));
    const expected = origin.from === 'kept' || isUsers ? old[field] : newImageFields[field];
    return isDeepStrictEqual(plain(fresh[field]), plain(expected))
      ? []
      : [
          `${where}.${field} should be ${JSON.stringify(expected)} and is ${JSON.stringify(fresh[field])}`,
        ];
  });
}

/** What is not as the table of all fields says. */
async function differences({ old, fresh }: Pair): Promise<string[]> {
  const images = {
    oldImage: (await docker.getImage(OLD).inspect()).Config,
    newImage: (await docker.getImage(NEW).inspect()).Config,
  };
  const health = {
    oldImage: fields(images.oldImage)['Healthcheck'],
    newImage: fields(images.newImage)['Healthcheck'],
  };
  const { Config, HostConfig, NetworkSettings, Mounts, ...top } = old;
  const found = [
    ...compare('', TOP_FIELDS, {
      old: top,
      fresh: { ...fresh, Config: undefined, HostConfig: undefined },
    }).filter((line) => !/^\.(Config|HostConfig|NetworkSettings|Mounts) is new/.test(line)),
    ...compare('Config', CONFIG_FIELDS, { old: Config, fresh: fresh.Config, ...images }),
    ...compare('Config.Healthcheck', HEALTHCHECK_FIELDS, {
      old: Config.Healthcheck,
      fresh: fresh.Config.Healthcheck,
      ...health,
    }),
    ...compare('HostConfig', HOST_CONFIG_FIELDS, {
      old: comparable(HostConfig),
      fresh: comparable(fresh.HostConfig),
    }),
    ...compare('NetworkSettings', NETWORK_FIELDS, {
      old: NetworkSettings,
      fresh: fresh.NetworkSettings,
    }),
  ];
  const networks = [NetworkSettings.Networks, fresh.NetworkSettings.Networks];
  for (const name of new Set(networks.flatMap(Object.keys))) {
    const [before, after] = networks.map((all) => ({
      ...all[name],
      // a network that was never joined has no id yet
      ...([old, fresh].some(({ State }) => State.Status === 'created') ? { NetworkID: '' } : {}),
    }));
    const ownId = (one: ContainerInfo, endpointOf: Fields | undefined): Fields => ({
      ...endpointOf,
      Aliases: (fields(endpointOf)['Aliases'] as string[] | null)?.filter(
        (alias) => alias !== one.Id.slice(0, 12),
      ),
    });
    found.push(
      ...compare(`Networks.${name}`, ENDPOINT_FIELDS, {
        old: ownId(old, before),
        fresh: ownId(fresh, after),
      }),
    );
  }
  for (const mount of Mounts) {
    found.push(
      ...compare(`Mounts.${mount.Destination}`, MOUNT_FIELDS, {
        old: mount,
        fresh: fresh.Mounts.find(({ Destination }) => Destination === mount.Destination),
      }),
    );
  }
  return found;
}

/** Of a link `/other:/own-name/alias` without the own name; of two ways to say that nothing is started again, one. */
function comparable(config: ContainerInfo['HostConfig']): Fields {
  const links = (config.Links as string[] | null | undefined) ?? [];
  const { Name, MaximumRetryCount = 0 } = config.RestartPolicy ?? { Name: '' };
  return {
    ...config,
    Links: links.map((link) => link.replace(/:\/[^/]+\//, ':')),
    RestartPolicy: { Name: Name === '' ? 'no' : Name, MaximumRetryCount },
  };
}

const loop = [{ Path: '/dev/loop0', Rate: 1_000_000 }];

/** Containers that together have every option that the engine offers; some cannot be together, some cannot start here. */
const EVERY_OPTION: Readonly<Record<string, object>> = {
  network: {
    Hostname: 'a-host',
    Domainname: 'example.test',
    User: '1000:1000',
    Env: ['MINE=1', 'EMPTY=', 'VERSION=mine'],
    Labels: { mine: 'label', 'image.version': 'mine' },
    WorkingDir: '/mine',
    StopSignal: 'SIGUSR1',
    StopTimeout: 3,
    ExposedPorts: { '9000/tcp': {} },
    Volumes: { '/anonymous': {} },
    Entrypoint: ['/bin/sh', '-c'],
    Cmd: ['sleep 600'],
    OnBuild: ['RUN true'],
    Shell: ['/bin/sh', '-c'],
    Healthcheck: {
      Test: ['CMD', '/bin/true'],
      Interval: 60e9,
      Timeout: 5e9,
      StartPeriod: 6e9,
      Retries: 7,
    },
    HostConfig: {
      NetworkMode: `${PREFIX}-net`,
      Binds: [`${PREFIX}-named:/named:ro`, '/tmp:/bind:rslave'],
      Mounts: [
        { Type: 'volume', Source: `${PREFIX}-mount`, Target: '/mount', ReadOnly: true },
        { Type: 'bind', Source: '/tmp', Target: '/bound', BindOptions: { Propagation: 'rshared' } },
        { Type: 'tmpfs', Target: '/memory', TmpfsOptions: { SizeBytes: 1_048_576, Mode: 0o700 } },
      ],
      Tmpfs: { '/scratch': 'size=1m' },
      PortBindings: { '9000/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 7 },
      Memory: 128 * 1024 * 1024,
      MemorySwap: 256 * 1024 * 1024,
      MemoryReservation: 64 * 1024 * 1024,
      CpuShares: 512,
      CpuPeriod: 100_000,
      CpuQuota: 50_000,
      CpusetCpus: '0',
      CpusetMems: '0',
      CgroupParent: '/liftlock-test',
      PidsLimit: 100,
      CapAdd: ['CAP_SYS_NICE'],
      CapDrop: ['CAP_MKNOD'],
      ExtraHosts: ['elsewhere:192.0.2.1'],
      Dns: ['192.0.2.53'],
      DnsOptions: ['ndots:2'],
      DnsSearch: ['example.test'],
      GroupAdd: ['1234'],
      Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
      Ulimits: [{ Name: 'nofile', Soft: 1000, Hard: 2000 }],
      LogConfig: { Type: 'local', Config: { 'max-size': '1m' } },
      ShmSize: 8 * 1024 * 1024,
      Init: true,
      IpcMode: 'shareable',
      CgroupnsMode: 'private',
      OomScoreAdj: 100,
      ReadonlyRootfs: true,
      SecurityOpt: ['no-new-privileges'],
      MaskedPaths: ['/proc/kcore'],
      ReadonlyPaths: ['/proc/bus'],
      VolumeDriver: 'local',
      VolumesFrom: [`${PREFIX}-other:ro`],
      ConsoleSize: [24, 80],
    },
    NetworkingConfig: {
      EndpointsConfig: {
        [`${PREFIX}-net`]: {
          Aliases: ['an-alias'],
          IPAMConfig: { IPv4Address: '10.213.46.77', LinkLocalIPs: ['169.254.34.68'] },
          DriverOpts: { some: 'option' },
          Links: [`${PREFIX}-other:linked`],
        },
      },
    },
  },
  devices: {
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: true,
    OpenStdin: true,
    StdinOnce: true,
    HostConfig: {
      Privileged: true,
      NetworkMode: 'host',
      PidMode: 'host',
      IpcMode: 'host',
      UTSMode: 'host',
      UsernsMode: 'host',
      NanoCpus: 500_000_000,
      Runtime: 'io.containerd.runc.v2',
      Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/mine', CgroupPermissions: 'r' }],
      DeviceCgroupRules: ['c 1:3 mr'],
      DeviceRequests: [
        {
          Driver: 'nvidia',
          Count: -1,
          DeviceIDs: null,
          Capabilities: [['gpu']],
          Options: { a: 'b' },
        },
      ],
      BlkioWeight: 300,
      BlkioWeightDevice: [{ Path: '/dev/loop0', Weight: 200 }],
      BlkioDeviceReadBps: loop,
      BlkioDeviceWriteBps: loop,
      BlkioDeviceReadIOps: loop,
      BlkioDeviceWriteIOps: loop,
      MemorySwappiness: 10,
      OomKillDisable: true,
      Memory: 128 * 1024 * 1024,
    },
  },
  bridge: {
    MacAddress: '02:42:0a:00:00:99',
    HostConfig: { Links: [`${PREFIX}-other:linked`], PublishAllPorts: true },
  },
  namespaces: {
    HostConfig: {
      NetworkMode: `container:${PREFIX}-other`,
      PidMode: `container:${PREFIX}-other`,
      IpcMode: `container:${PREFIX}-other`,
    },
  },
  isolated: { NetworkDisabled: true, HostConfig: { NetworkMode: 'none' } },
};

describe('every field that the engine answers for a container', () => {
  test('is kept, or is the new image’s, or is the engine’s own, or is otherwise for a reason; and none is unheard of', async () => {
    await docker.createNetwork({
      Name: `${PREFIX}-net`,
      IPAM: { Config: [{ Subnet: '10.213.46.0/24' }] },
    });
    const other = await docker.createContainer({
      name: `${PREFIX}-other`,
      Image: OLD,
      Volumes: { '/shared': {} },
      HostConfig: { IpcMode: 'shareable' },
    });
    await other.start();
    const untouched = await replaceOf('untouched', {});
    expect(await differences(untouched)).toEqual([]);
    const seen = new Set<string>();
    for (const [name, settings] of Object.entries(EVERY_OPTION)) {
      const pair = await replaceOf(name, settings);
      expect({ name, differences: await differences(pair) }).toEqual({ name, differences: [] });
      for (const place of ['Config', 'HostConfig'] as const) {
        for (const [field, value] of Object.entries(pair.old[place])) {
          if (!isDeepStrictEqual(plain(value), plain(fields(untouched.old[place])[field])))
            seen.add(`${place}.${field}`);
        }
      }
    }
    const unset = Object.entries({ Config: CONFIG_FIELDS, HostConfig: HOST_CONFIG_FIELDS }).flatMap(
      ([place, table]) =>
        Object.entries(table)
          .filter(
            ([field, origin]) =>
              (origin.from === 'image' || (origin.from === 'kept' && origin.here === undefined)) &&
              !seen.has(`${place}.${field}`),
          )
          .map(([field]) => `${place}.${field}`),
    );
    expect(unset, 'fields that no container here has a value in').toEqual([]);
  });
});
