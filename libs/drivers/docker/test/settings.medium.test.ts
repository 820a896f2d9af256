import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dockerDriver } from '#drivers/docker';
import type { Driver } from '#drivers/core';
import { freePort } from '#fleet';
import { LiftlockError } from '#kernel';
import { newFolder } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine, type ContainerInfo } from '../../../../test/support/engine-client.js';
import { importImage } from '../../../../test/support/service-image.js';
import { contextOf, crashAt } from '../../../../test/support/step-context.js';

const PREFIX = 'dkset';
let docker: Docker;
let endpoint: string;
let driver: Driver;
let oldImage: string;
let newImage: string;

const IMAGE = (version: string): string[] => [
  'ENV PATH=/bin',
  `ENV VERSION=${version}`,
  `ENV ONLY_${version.slice(0, 1)}=image`,
  `LABEL image.version=${version}`,
  `LABEL only.${version.slice(0, 1)}=image`,
  `WORKDIR /srv`,
  `EXPOSE 80${version.slice(0, 1)}0`,
  `VOLUME /image-${version.slice(0, 1)}`,
  `CMD ["/bin/sh", "-c", "trap 'exit 0' TERM INT; echo ${version}; sleep 600 & wait"]`,
  'HEALTHCHECK --interval=1h CMD ["/bin/true"]',
];

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  oldImage = await importImage(docker, 'liftlock-test-settings:1.0', IMAGE('1.0'));
  newImage = await importImage(docker, 'liftlock-test-settings:2.0', IMAGE('2.0'));
});
const folders: string[] = [];
afterEach(async () => {
  await cleanUp(docker, PREFIX);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
afterAll(async () => {
  await driver?.close();
  for (const id of [oldImage, newImage]) await docker.getImage(id).remove({ force: true });
});

interface Replaced {
  readonly old: ContainerInfo;
  readonly fresh: ContainerInfo;
}

async function replaceOf(
  name: string,
  settings: object,
  wanted: { env?: Record<string, string | null>; command?: string[] } = {},
): Promise<Replaced> {
  const container = `${PREFIX}-${name}`;
  const made = await docker.createContainer({ name: container, Image: oldImage, ...settings });
  await made.start();
  const old = await made.inspect();
  const context = contextOf(endpoint);
  const planned = { container, containerId: made.id };
  await driver.instances.stop(context, { ...planned, stopTimeoutSeconds: 1 });
  const { containerId } = await driver.instances.replace(context, {
    ...planned,
    keptName: `${container}-kept`,
    image: { reference: 'liftlock-test-settings:2.0', id: newImage },
    env: wanted.env ?? {},
    command: wanted.command,
  });
  return { old, fresh: await docker.getContainer(containerId ?? '').inspect() };
}

const ownLabels = (container: ContainerInfo): Record<string, string> =>
  Object.fromEntries(
    Object.entries(container.Config.Labels).filter(([key]) => !key.startsWith('dev.liftlock.')),
  );
const mountsOf = (container: ContainerInfo): string[] =>
  container.Mounts.map(({ Type, Name, Source, Destination, RW }) =>
    [Type, Name ?? Source, Destination, RW].join(' '),
  ).toSorted();

/** What a process in it sees. */
async function environmentInside(container: ContainerInfo): Promise<string[]> {
  const exec = await docker
    .getContainer(container.Id)
    .exec({ Cmd: ['env'], AttachStdout: true, Tty: true });
  return (await text(await exec.start({ Tty: true }))).split(/\r?\n/);
}

describe('the new container', () => {
  test('has all that a person set, and the new image’s own in place of the old image’s', async () => {
    const folder = newFolder();
    folders.push(folder);
    const port = await freePort();
    const network = await docker.createNetwork({
      Name: `${PREFIX}-net`,
      IPAM: { Config: [{ Subnet: '10.213.45.0/24' }] },
    });
    const second = await docker.createNetwork({ Name: `${PREFIX}-net2` });
    const hostConfig = {
      Binds: [`${folder}:/bind:ro`, `${PREFIX}-named:/named`],
      Mounts: [{ Type: 'volume', Source: `${PREFIX}-mount`, Target: '/mount' }],
      Tmpfs: { '/scratch': 'size=1m' },
      PortBindings: { '9000/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 7 },
      Memory: 128 * 1024 * 1024,
      MemorySwap: 256 * 1024 * 1024,
      NanoCpus: 500_000_000,
      PidsLimit: 100,
      CapAdd: ['CAP_SYS_NICE'],
      CapDrop: ['CAP_MKNOD'],
      ExtraHosts: ['elsewhere:192.0.2.1'],
      Dns: ['192.0.2.53'],
      Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
      Ulimits: [{ Name: 'nofile', Soft: 1000, Hard: 2000 }],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
      ShmSize: 8 * 1024 * 1024,
      Init: true,
      OomScoreAdj: 100,
      ReadonlyRootfs: true,
      SecurityOpt: ['no-new-privileges'],
      NetworkMode: `${PREFIX}-net`,
    };
    const { old, fresh } = await replaceOf('all', {
      Env: ['MINE=1', 'EMPTY=', 'WITH=a=b\nc', 'VERSION=mine'],
      Labels: { mine: 'label', 'only.1': 'mine now' },
      User: '1000:1000',
      Hostname: 'a-host',
      Domainname: 'example.test',
      StopTimeout: 3,
      StopSignal: 'SIGUSR1',
      ExposedPorts: { '9000/tcp': {} },
      Cmd: ['sh', '-c', 'trap "exit 0" USR1; sleep 600 & wait'],
      HostConfig: hostConfig,
      NetworkingConfig: {
        EndpointsConfig: {
          [`${PREFIX}-net`]: {
            Aliases: ['an-alias'],
            IPAMConfig: { IPv4Address: '10.213.45.77' },
          },
        },
      },
    });
    expect(fresh.Image).toBe(newImage);
    expect(fresh.Config.Env.toSorted()).toEqual(
      ['EMPTY=', 'MINE=1', 'ONLY_2=image', 'PATH=/bin', 'VERSION=mine', 'WITH=a=b\nc'].toSorted(),
    );
    expect(ownLabels(fresh)).toEqual({
      mine: 'label',
      'only.1': 'mine now',
      'image.version': '2.0',
      'only.2': 'image',
    });
    const { Cmd, User, Hostname, Domainname, WorkingDir } = old.Config;
    expect(fresh.Config).toMatchObject({ Cmd, User, Hostname, Domainname, WorkingDir });
    expect(fresh.Config).toMatchObject({ StopTimeout: 3, StopSignal: 'SIGUSR1' });
    expect(Object.keys(fresh.Config.ExposedPorts).toSorted()).toEqual(['8020/tcp', '9000/tcp']);
    expect({ ...fresh.HostConfig, Binds: undefined }).toEqual({
      ...old.HostConfig,
      Binds: undefined,
    });
    const imageVolume = / \/image-[12] /;
    expect(mountsOf(fresh).filter((one) => !imageVolume.test(one))).toEqual(
      mountsOf(old).filter((one) => !imageVolume.test(one)),
    );
    const endpointOf = (of: ContainerInfo) => of.NetworkSettings.Networks[`${PREFIX}-net`];
    expect(endpointOf(fresh)).toMatchObject({ IPAMConfig: { IPv4Address: '10.213.45.77' } });
    expect(endpointOf(fresh)?.Aliases).toContain('an-alias');
    expect(endpointOf(fresh)?.Aliases).not.toContain(old.Id.slice(0, 12));
    expect(Object.keys(fresh.NetworkSettings.Networks)).toEqual([`${PREFIX}-net`]);
    await docker.getContainer(fresh.Id).remove({ force: true });
    await docker.getContainer(old.Id).remove({ force: true });
    await network.remove();
    await second.remove();
  });

  test('of one of which nothing was set is wholly the new image’s', async () => {
    const { old, fresh } = await replaceOf('plain', {});
    const image = (await docker.getImage(newImage).inspect()).Config;
    expect(fresh.Config.Env.toSorted()).toEqual(image.Env.toSorted());
    expect(ownLabels(fresh)).toEqual(image.Labels);
    expect(fresh.Config).toMatchObject({
      Cmd: image.Cmd,
      WorkingDir: image.WorkingDir,
      Healthcheck: { Test: ['CMD', '/bin/true'] },
    });
    expect(fresh.Config.Hostname).toBe(fresh.Id.slice(0, 12));
    expect(fresh.HostConfig.RestartPolicy?.Name).toBe('no');
    expect(Object.keys(fresh.NetworkSettings.Networks)).toEqual(['bridge']);
    // data of the old image's own volume is not lost sight of
    expect(mountsOf(fresh)).toContain(mountsOf(old)[0]);
  });

  test('keeps the anonymous volumes with what is in them', async () => {
    const { old, fresh } = await replaceOf('anonymous', { Volumes: { '/mine': {} } });
    expect(mountsOf(fresh)).toEqual(expect.arrayContaining(mountsOf(old)));
  });

  test('joins every network that the old one had joined, and leaves the one that it had left', async () => {
    for (const name of ['a', 'b', 'c']) await docker.createNetwork({ Name: `${PREFIX}-${name}` });
    const container = await docker.createContainer({
      name: `${PREFIX}-joined`,
      Image: oldImage,
      HostConfig: { NetworkMode: `${PREFIX}-a` },
    });
    await container.start();
    for (const name of ['b', 'c']) {
      await docker
        .getNetwork(`${PREFIX}-${name}`)
        .connect({ Container: container.id, EndpointConfig: { Aliases: [`as-${name}`] } });
    }
    await docker.getNetwork(`${PREFIX}-a`).disconnect({ Container: container.id });
    const { upgrade } = contextOf(endpoint);
    const planned = { container: `${PREFIX}-joined`, containerId: container.id };
    await driver.instances.stop(contextOf(endpoint, { upgrade }), {
      ...planned,
      stopTimeoutSeconds: 1,
    });
    // cut off at each change in turn: what was made by half is never started
    for (let token = 1, done = false; !done; token += 1) {
      const attempt = driver.instances.replace(
        contextOf(endpoint, { upgrade, token, ...(token < 20 ? crashAt(token) : {}) }),
        {
          ...planned,
          keptName: `${PREFIX}-joined-kept`,
          image: { reference: 'x', id: newImage },
          env: {},
        },
      );
      const outcome = await attempt.then(
        () => 'done',
        (error: unknown) => LiftlockError.from(error).code,
      );
      done = outcome === 'done';
      if (!done) expect(outcome).toBe('fenced');
    }
    const { Networks } = (await docker.getContainer(`${PREFIX}-joined`).inspect()).NetworkSettings;
    expect(Object.keys(Networks).toSorted()).toEqual([`${PREFIX}-b`, `${PREFIX}-c`]);
    expect(Networks[`${PREFIX}-b`]?.Aliases).toContain('as-b');
    await docker.getContainer(`${PREFIX}-joined`).remove({ force: true });
  });

  test('takes volumes from whom the old one took them, and from a gone one by their names', async () => {
    const source = await docker.createContainer({
      name: `${PREFIX}-source`,
      Image: oldImage,
      Volumes: { '/shared': {} },
    });
    const settings = { HostConfig: { VolumesFrom: [`${PREFIX}-source:ro`] } };
    const { old, fresh } = await replaceOf('from', settings);
    expect(fresh.HostConfig.VolumesFrom).toEqual([`${PREFIX}-source:ro`]);
    expect(mountsOf(fresh)).toEqual(expect.arrayContaining(mountsOf(old)));
    const again = await docker.createContainer({
      name: `${PREFIX}-late`,
      Image: oldImage,
      ...settings,
    });
    const before = await again.inspect();
    await source.remove();
    const context = contextOf(endpoint);
    const planned = { container: `${PREFIX}-late`, containerId: again.id };
    await driver.instances.stop(context, planned);
    await driver.instances.replace(context, {
      ...planned,
      keptName: `${PREFIX}-late-kept`,
      image: { reference: 'x', id: newImage },
      env: {},
    });
    const late = await docker.getContainer(`${PREFIX}-late`).inspect();
    expect(mountsOf(late)).toEqual(expect.arrayContaining(mountsOf(before)));
  });

  test('gets the environment and the command that the release wants, and null takes a variable away', async () => {
    const { fresh } = await replaceOf(
      'wanted',
      { Env: ['KEEP=1', 'CHANGE=old', 'DROP=1'] },
      {
        env: { CHANGE: 'new', DROP: null, ONLY_2: null, ADD: 'more' },
        command: ['sh', '-c', 'sleep 600 # wanted'],
      },
    );
    const seen = await environmentInside(fresh);
    expect(seen).toEqual(
      expect.arrayContaining(['ADD=more', 'CHANGE=new', 'KEEP=1', 'PATH=/bin', 'VERSION=2.0']),
    );
    expect(seen.filter((entry) => /^(DROP|ONLY_2|ONLY_1)\b/.test(entry))).toEqual([]);
    expect(fresh.Config.Cmd).toEqual(['sh', '-c', 'sleep 600 # wanted']);
  });

  test('in another’s network, or the host’s, has its settings, too', async () => {
    const other = await docker.createContainer({ name: `${PREFIX}-net-of`, Image: oldImage });
    await other.start();
    for (const NetworkMode of [`container:${other.id}`, 'host', 'none']) {
      const name = `mode-${NetworkMode.slice(0, 4)}`;
      const { fresh } = await replaceOf(name, { HostConfig: { NetworkMode } });
      expect(fresh.HostConfig.NetworkMode).toBe(NetworkMode);
      expect(fresh.State.Running).toBe(true);
    }
  });

  test('with a terminal and an entrypoint of its own has both', async () => {
    const { fresh } = await replaceOf('entry', {
      Tty: true,
      OpenStdin: true,
      Entrypoint: ['sh', '-c'],
      Cmd: ['sleep 600'],
    });
    expect(fresh.Config).toMatchObject({
      Tty: true,
      OpenStdin: true,
      Entrypoint: ['sh', '-c'],
      Cmd: ['sleep 600'],
    });
  });

  test('is made although the old one’s data is a file', async () => {
    const folder = newFolder();
    folders.push(folder);
    writeFileSync(join(folder, 'settings'), 'x');
    const { old, fresh } = await replaceOf('file', {
      HostConfig: { Binds: [`${folder}/settings:/etc/settings:ro,z`] },
    });
    expect(fresh.HostConfig.Binds).toEqual(expect.arrayContaining(old.HostConfig.Binds ?? []));
  });
});
