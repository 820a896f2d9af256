import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dockerDriver } from '#drivers/docker';
import type { Driver } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { cleanUp, openEngine, type ContainerInfo } from '../../../../test/support/engine-client.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf } from '../../../../test/support/step-context.js';

const PREFIX = 'dkref';
let docker: Docker;
let endpoint: string;
let driver: Driver;
const images = new Map<string, string>();

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  for (const version of ['1', '2', '3'])
    images.set(version, await serviceImage(docker, `liftlock-test-references:${version}`, version));
});
afterEach(() => cleanUp(docker, PREFIX));
afterAll(async () => {
  await driver?.close();
  for (const id of images.values()) await docker.getImage(id).remove({ force: true });
});

async function run(name: string, settings: object = {}): Promise<ContainerInfo> {
  const made = await docker.createContainer({
    name: `${PREFIX}-${name}`,
    Image: images.get('1') ?? '',
    ...settings,
  });
  await made.start();
  return made.inspect();
}

/** As an upgrade does it; the old one is removed, as after the bake, unless it is to stay. */
async function upgrade(name: string, version: string, bake?: 'baking'): Promise<ContainerInfo> {
  const container = `${PREFIX}-${name}`;
  const { Id } = await docker.getContainer(container).inspect();
  const context = contextOf(endpoint);
  const planned = { container, containerId: Id };
  const keptName = `${container}-kept-${version}`;
  await driver.instances.stop(context, { ...planned, stopTimeoutSeconds: 1 });
  const { containerId } = await driver.instances.replace(context, {
    ...planned,
    keptName,
    image: { reference: `liftlock-test-references:${version}`, id: images.get(version) ?? '' },
    env: {},
  });
  if (bake === undefined) await driver.instances.removeOld(context, { ...planned, keptName });
  return docker.getContainer(containerId ?? '').inspect();
}

describe('a container whose settings name another one', () => {
  test('that was upgraded twice since is joined to what stands in its place', async () => {
    const first = await run('main', { HostConfig: { IpcMode: 'shareable' } });
    const mode = `container:${first.Id}`;
    await run('side', { HostConfig: { NetworkMode: mode, PidMode: mode, IpcMode: mode } });
    await upgrade('main', '2');
    const main = await upgrade('main', '3');
    const side = await upgrade('side', '2');
    const now = `container:${main.Id}`;
    expect(side.State.Running).toBe(true);
    expect(side.HostConfig).toMatchObject({ NetworkMode: now, PidMode: now, IpcMode: now });
  });

  test('that was kept under another name is linked to the new one of its name, and shares its volumes', async () => {
    const source = await run('source', { Volumes: { '/shared': {} } });
    const old = await run('user', {
      HostConfig: {
        Links: [`${PREFIX}-source:friend`],
        VolumesFrom: [`${source.Id}:ro`],
      },
    });
    const newSource = await upgrade('source', '2', 'baking');
    const fresh = await upgrade('user', '2', 'baking');
    expect(fresh.HostConfig.Links).toEqual([`/${PREFIX}-source:/${PREFIX}-user/friend`]);
    expect(fresh.HostConfig.VolumesFrom).toEqual([`${PREFIX}-source:ro`]);
    const mountOf = (one: ContainerInfo) => one.Mounts.map(({ Name, RW }) => ({ Name, RW }));
    expect(mountOf(fresh)).toEqual(mountOf(old));
    expect(mountOf(fresh)[0]?.Name).toBe(mountOf(newSource)[0]?.Name);
  });
});

describe('data in anonymous volumes', () => {
  test('stays when the old container goes, even if the new one was removed before', async () => {
    const old = await run('anonymous', { Volumes: { '/data': {} } });
    const volume = old.Mounts[0]?.Name ?? '';
    const fresh = await upgrade('anonymous', '2');
    expect(fresh.Mounts[0]?.Name).toBe(volume);
    await docker.getContainer(fresh.Id).remove({ force: true, v: true });
    expect(await docker.getVolume(volume).inspect()).toMatchObject({ Name: volume });
    await docker.getVolume(volume).remove();
    const second = await run('anonymous', { Volumes: { '/data': {} } });
    const kept = second.Mounts[0]?.Name ?? '';
    const replaced = await upgrade('anonymous', '2', 'baking');
    await docker.getContainer(replaced.Id).remove({ force: true });
    await driver.instances.removeOld(contextOf(endpoint), {
      container: `${PREFIX}-anonymous`,
      containerId: second.Id,
      keptName: `${PREFIX}-anonymous-kept-2`,
    });
    expect(await docker.getVolume(kept).inspect()).toMatchObject({ Name: kept });
    await docker.getVolume(kept).remove();
  });

  test('of a container made with --rm is not put at risk: it is refused before the stop, and the way out holds', async () => {
    const old = await run('rm', { Volumes: { '/data': {} }, HostConfig: { AutoRemove: true } });
    const volume = old.Mounts[0]?.Name ?? '';
    const planned = { container: `${PREFIX}-rm`, containerId: old.Id };
    const refused = await driver.instances.stop(contextOf(endpoint), planned).then(
      () => undefined,
      (error: unknown) => LiftlockError.from(error),
    );
    expect(refused?.code).toBe('target_refused');
    expect(refused?.message).toContain(
      `docker create --name ${PREFIX}-rm-data --volumes-from ${PREFIX}-rm IMAGE`,
    );
    expect((await docker.getContainer(old.Id).inspect()).State.Running).toBe(true);
    await docker.createContainer({
      name: `${PREFIX}-rm-data`,
      Image: images.get('1') ?? '',
      HostConfig: { VolumesFrom: [`${PREFIX}-rm`] },
    });
    const gone = docker.getContainer(old.Id).wait({ condition: 'removed' });
    await docker.getContainer(old.Id).stop({ t: 1 });
    await gone;
    expect(await docker.getVolume(volume).inspect()).toMatchObject({ Name: volume });
    const again = await run('rm', { HostConfig: { VolumesFrom: [`${PREFIX}-rm-data`] } });
    expect(again.Mounts.map(({ Name }) => Name)).toEqual([volume]);
    // what is sure to have no user any more
    await docker.getContainer(`${PREFIX}-rm`).remove({ force: true });
    await docker.getContainer(`${PREFIX}-rm-data`).remove({ force: true });
    await docker.getVolume(volume).remove();
  });
});
