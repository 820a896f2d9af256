import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dockerDriver } from '#drivers/docker';
import type { Driver } from '#drivers/core';
import type { Observation } from '#contracts';
import { newFolder } from '../../../../test/support/data-tree.js';
import { runCompose } from '../../../../test/support/compose-program.js';
import { cleanUp, openEngine, type ContainerInfo } from '../../../../test/support/engine-client.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf } from '../../../../test/support/step-context.js';

const PREFIX = 'dkcompose';
const IMAGE = 'liftlock-test-compose';
let docker: Docker;
let endpoint: string;
let driver: Driver;
let folder: string;
const images = new Map<string, string>();

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  folder = join(newFolder(), PREFIX);
  mkdirSync(folder);
  for (const version of ['1', '2'])
    images.set(version, await serviceImage(docker, `${IMAGE}:${version}`, version));
});
afterEach(async () => {
  await compose('down', '--volumes', '--timeout', '1').catch(() => undefined);
  await cleanUp(docker, PREFIX);
});
afterAll(async () => {
  await driver?.close();
  for (const id of images.values()) await docker.getImage(id).remove({ force: true });
  if (folder !== undefined) rmSync(join(folder, '..'), { recursive: true, force: true });
});

const file = (): string => join(folder, 'docker-compose.yml');
function writeCompose(version: string, more = ''): void {
  writeFileSync(
    file(),
    `version: "2.4"
services:
  web:
    image: ${IMAGE}:${version}
    container_name: ${PREFIX}-web
    environment: { MINE: "1", FROM_ENV: "\${SETTING}" }
    stop_grace_period: 1s
    volumes: ["data:/data", "./here:/here:ro"]
    networks: { default: { aliases: [website] } }
${more}volumes: { data: {} }
`,
  );
  writeFileSync(join(folder, '.env'), 'SETTING=of the project\n');
}

const compose = (...args: string[]): Promise<string> => runCompose(folder, endpoint, args);
const web = (): Promise<ContainerInfo> => docker.getContainer(`${PREFIX}-web`).inspect();

async function observeWeb(): Promise<Observation['containers'][number]> {
  const target = { name: 'one', driver: 'docker' as const, site: 'main', endpoint };
  const { containers } = await driver.instances.observe(
    { target, containers: [`${PREFIX}-web`], images: [] },
    AbortSignal.timeout(60_000),
  );
  if (containers[0] === undefined) throw new Error('nothing was observed');
  return containers[0];
}

async function upgradeWeb(ended: boolean): Promise<{ log: readonly string[] }> {
  const container = `${PREFIX}-web`;
  const context = contextOf(endpoint);
  const planned = { container, containerId: (await web()).Id };
  const keptName = `${container}-kept`;
  await driver.instances.stop(context, { ...planned, stopTimeoutSeconds: 1 });
  await driver.instances.replace(context, {
    ...planned,
    keptName,
    image: { reference: `${IMAGE}:2`, id: images.get('2') ?? '' },
    env: {},
  });
  if (ended) await driver.instances.removeOld(context, { ...planned, keptName });
  return { log: context.lines };
}

describe('a container of a Compose project', () => {
  test('is upgraded so that `up` finds nothing to change, once its file names the new image', async () => {
    writeCompose('1');
    await compose('up', '-d');
    const before = await observeWeb();
    expect(before.owner).toBeUndefined();
    expect(before.compose).toEqual({ project: PREFIX, service: 'web', files: [file()] });
    const old = await web();
    await upgradeWeb(true);
    const fresh = await web();
    const labelsOf = (one: ContainerInfo): object =>
      Object.fromEntries(
        Object.entries(one.Config.Labels).filter(
          ([key]) => key.startsWith('com.docker.compose.') && !key.endsWith('.config-hash'),
        ),
      );
    expect(labelsOf(fresh)).toEqual(labelsOf(old));
    writeCompose('2');
    const said = await compose('up', '-d');
    expect(said).toContain(`${PREFIX}-web is up-to-date`);
    expect((await web()).Id).toBe(fresh.Id);
    // and it may be upgraded again
    expect((await observeWeb()).compose).not.toHaveProperty('because');
  });

  test('whose file cannot be read, or was changed otherwise, too, is left for `up` to change, and that is said before', async () => {
    writeCompose('1');
    await compose('up', '-d');
    rmSync(file());
    expect((await observeWeb()).compose?.because).toBe(`the executor cannot read ${file()}`);
    writeCompose('1', '    labels: { added: later }\n');
    expect((await observeWeb()).compose?.because).toContain('something else was changed');
    const { log } = await upgradeWeb(true);
    expect(log.join('\n')).toContain('docker compose up will make web of the project');
    const fresh = await web();
    writeCompose('2', '    labels: { added: later }\n');
    await compose('up', '-d');
    expect((await web()).Id).not.toBe(fresh.Id);
    expect((await web()).Config.Labels).toMatchObject({ added: 'later' });
  });

  test('is known by its labels to Compose while the old one is kept: why `up` is not to be run until the end', async () => {
    writeCompose('1');
    await compose('up', '-d');
    await upgradeWeb(false);
    writeCompose('2');
    await compose('up', '-d');
    const names = (await docker.listContainers({ all: true })).flatMap(({ Names }) => Names);
    expect(names).toContain(`/${PREFIX}-web`);
    expect(names).not.toContain(`/${PREFIX}-web-kept`);
  });
});
