import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type Docker from 'dockerode';
import { mirroredPage, plan as planSchema, type MirroredImage, type Plan } from '#contracts';
import { freePort } from '#fleet';
import { waitFor } from '#kernel';
import { ApiClient } from '../support/api-client.js';
import { buildImage, httpService } from '../support/busybox-image.js';
import { Cli } from '../support/cli.js';
import { cleanUp, openEngine } from '../support/engine-client.js';
import { freshFleet, type FreshFleet } from '../support/fleet.js';
import { HeldSource } from '../support/held-source.js';
import { PlainRepository, serviceImage } from '../support/registry-image.js';
import { REGISTRY_LOGIN, startRegistryServer, type RegistryServer } from '../support/registry.js';

const LOGIN = REGISTRY_LOGIN;
const LOGIN_REFERENCES = {
  username: 'env:LIFTLOCK_SECRET_REGISTRY_USER',
  password: 'env:LIFTLOCK_SECRET_REGISTRY_PASSWORD',
};
const MIB = 1024 * 1024;

let fleet: FreshFleet;
let api: ApiClient;
let docker: Docker;
let endpoint: string;
/** Both let nobody in without the password: the engine never learns that of the source. */
let mirror: RegistryServer;
let source: RegistryServer;

beforeAll(async () => {
  const login = { htpasswd: LOGIN.htpasswd, accessLog: true };
  [mirror, source, { docker, endpoint }] = await Promise.all([
    startRegistryServer(login),
    startRegistryServer(login),
    openEngine(),
  ]);
  fleet = await freshFleet({
    env: {
      LIFTLOCK_LEASE_MS: '2000',
      LIFTLOCK_SWEEP_MS: '400',
      LIFTLOCK_SECRET_REGISTRY_USER: LOGIN.username,
      LIFTLOCK_SECRET_REGISTRY_PASSWORD: LOGIN.password,
    },
  });
  api = new ApiClient(fleet.fleet.url, fleet.fleet.token);
});
afterAll(async () => {
  await fleet.stop();
  await Promise.all([mirror.stop(), source.stop()]);
});

/** A service at 1.0 on the engine, with 2.0 in the source's registry only. */
let name: string;
let port: number;
let from: PlainRepository;
let to: PlainRepository;
let sourceOfThis: RegistryServer;

beforeEach(async () => {
  sourceOfThis = source;
  await begin();
});
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const one of cleanups.splice(0)) await one();
  await cleanUp(docker, name);
});

async function begin(): Promise<void> {
  name = `mirrored-${randomBytes(4).toString('hex')}`;
  port = await freePort();
  from = new PlainRepository(sourceOfThis.host, `shop/${name}`, LOGIN);
  to = new PlainRepository(mirror.host, `team/shop/${name}`, LOGIN);
  const old = imageOf('1.0');
  await buildImage({ ...process.env, DOCKER_HOST: endpoint }, old, httpService('1.0', port));
  const container = await docker.createContainer({
    name,
    Image: old,
    ExposedPorts: { [`${port}/tcp`]: {} },
    HostConfig: {
      PortBindings: { [`${port}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
    },
  });
  await container.start();
  await waitFor(async () => (await version()) === '1.0', { what: name, deadlineMs: 60_000 });
}

const imageOf = (tag: string): string => `${sourceOfThis.host}/shop/${name}:${tag}`;

async function version(): Promise<string | undefined> {
  try {
    return (await (await fetch(`http://127.0.0.1:${port}/version`)).text()).trim();
  } catch {
    return undefined;
  }
}

interface Wish {
  readonly trust?: readonly object[];
  /** Of what comes from the source. */
  readonly bytesPerSecond?: number;
  readonly image?: string;
}

async function documents({
  trust,
  bytesPerSecond,
  image = imageOf('2.0'),
}: Wish = {}): Promise<void> {
  const head = { apiVersion: 'liftlock.dev/v1', metadata: { name } };
  await api.put('environments', {
    ...head,
    kind: 'Environment',
    spec: {
      targets: [{ name: 'host', driver: 'docker', endpoint }],
      mirror: {
        registry: mirror.host,
        prefix: 'team',
        insecure: true,
        credentials: LOGIN_REFERENCES,
        sources: {
          [sourceOfThis.host]: {
            insecure: true,
            credentials: LOGIN_REFERENCES,
            ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
          },
        },
      },
      ...(trust === undefined ? {} : { trust }),
    },
  });
  await api.put('applications', {
    ...head,
    kind: 'Application',
    spec: {
      components: [
        {
          name: 'web',
          targets: ['host'],
          container: name,
          checks: [{ type: 'http', url: `http://127.0.0.1:${port}/version`, intervalMs: 100 }],
        },
      ],
    },
  });
  await putRelease('1.0');
  await putRelease('2.0', image);
}

async function putRelease(version: string, image = imageOf(version)): Promise<void> {
  await api.put('releases', {
    apiVersion: 'liftlock.dev/v1',
    kind: 'Release',
    metadata: { name: `${name}-${version}` },
    spec: { application: name, version, components: { web: { image } } },
  });
}

/** What is recorded of this test's environment. */
async function mirrored(what: 'images' | 'garbage'): Promise<MirroredImage[]> {
  const { body } = await api.insist('GET', `/v1/mirror/${what}?environment=${name}`);
  return mirroredPage.parse(body).items;
}

function upgrade(policy: object = {}): ReturnType<ApiClient['upgrade']> {
  return api.upgrade({ environment: name, application: name, release: `${name}-2.0`, policy });
}

async function planOf(upgradeId: string): Promise<Plan> {
  const { body } = await api.request('GET', `/v1/upgrades/${upgradeId}/plan`);
  return planSchema.parse(body);
}

/** Requests of an engine that a registry has seen. */
const ofEngines = (registry: RegistryServer): string[] =>
  registry.accesses().filter((line) => /docker|containerd/i.test(line.split('" "').at(-1) ?? ''));

describe('an environment with a mirror', () => {
  it('the engine pulls from the mirror, by digest, and never asks the registry that the image comes from', async () => {
    const digest = await from.push('2.0', await serviceImage(httpService('2.0', port)));
    await documents();
    const before = ofEngines(mirror).length;
    const { id } = await upgrade();
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    expect(await version()).toBe('2.0');
    expect(await to.digest('2.0')).toBe(digest);
    const { prepare } = await planOf(id);
    const at = `${mirror.host}/team/shop/${name}@${digest}`;
    expect(prepare.map(({ action, after }) => [action, after])).toEqual([
      ['image.mirror', undefined],
      ['image.prepare', [prepare[0]?.id]],
      ['instance.assert-unchanged', undefined],
    ]);
    expect(prepare[1]?.input).toMatchObject({ image: { reference: imageOf('2.0'), digest: at } });
    const { Image, Config } = await docker.getContainer(name).inspect();
    expect((await docker.getImage(Image).inspect()).RepoDigests).toEqual([at]);
    // what a person wrote stays to be read
    expect(Object.values(Config.Labels)).toContain(imageOf('2.0'));
    expect(ofEngines(mirror).length).toBeGreaterThan(before);
    expect(ofEngines(source)).toEqual([]);
    expect(JSON.stringify(await api.history(id))).not.toContain(LOGIN.password);
  });

  it('a source that went away since the plan was made ends it as failed, with nothing touched; a mirror that has it all needs none', async () => {
    sourceOfThis = await startRegistryServer({ htpasswd: LOGIN.htpasswd });
    try {
      await begin();
      const image = await serviceImage(httpService('2.0', port));
      const digest = await from.push('2.0', image);
      await documents();
      const before = (await docker.getContainer(name).inspect()).State.StartedAt;
      const { id } = await upgrade({ approval: 'required' });
      await api.until(id, 'awaiting_approval');
      await sourceOfThis.stop();
      await api.act(id, 'approve');
      const end = await api.untilEnded(id);
      expect(end.state, end.message).toBe('failed');
      expect(end.error?.code).toBe('registry_unreachable');
      expect(end.message).toContain('nothing was changed');
      const after = await docker.getContainer(name).inspect();
      expect([after.State.StartedAt, after.State.Running]).toEqual([before, true]);
      expect(await to.tags()).toEqual([]);

      // planned anew: refused as early
      const again = await upgrade();
      const refused = await api.untilEnded(again.id);
      expect([refused.state, refused.error?.code]).toEqual(['failed', 'registry_unreachable']);

      expect(await to.push('2.0', image)).toBe(digest);
      await documents({ image: `${imageOf('2.0')}@${digest}` });
      const last = await api.untilEnded((await upgrade()).id);
      expect(last.state, last.message).toBe('succeeded');
      expect(await version()).toBe('2.0');
    } finally {
      await sourceOfThis.stop();
    }
  });

  it('what was mirrored is recorded; what a release names, or an instance runs, stays; the rest goes when it is asked for', async () => {
    const cli = Cli.of(fleet.fleet.url, fleet.fleet.token);
    const old = await from.push('2.0', await serviceImage(httpService('2.0', port)));
    await documents();
    const { id } = await upgrade();
    expect((await api.untilEnded(id)).state).toBe('succeeded');
    const target = `${mirror.host}/team/shop/${name}`;
    const recorded = { target, digest: old, source: imageOf('2.0'), upgrade: id };
    expect(await mirrored('images')).toMatchObject([recorded]);

    // the document goes; what runs, and what may be gone back to, stays
    const wanted = await from.push('3.0', await serviceImage(httpService('3.0', port)));
    await putRelease('3.0');
    const next = await api.upgrade({
      environment: name,
      application: name,
      release: `${name}-3.0`,
      policy: { approval: 'required' },
    });
    await api.until(next.id, 'awaiting_approval');
    const deleted = await api.request('DELETE', `/v1/releases/${name}-2.0`);
    expect(deleted.status, JSON.stringify(deleted.body)).toBe(204);
    expect(await mirrored('garbage')).toEqual([]);
    const kept = await api.request('DELETE', `/v1/mirror/images/${old}?target=${target}`);
    expect([kept.status, JSON.stringify(kept.body)]).toEqual([
      409,
      expect.stringContaining(`since upgrade ${id} it is what runs`),
    ]);
    await api.act(next.id, 'approve');
    const end = await api.untilEnded(next.id);
    expect(end.state, end.message).toBe('succeeded');

    expect(await mirrored('garbage')).toMatchObject([recorded]);
    expect(await to.digest('2.0')).toBe(old);
    const words = ['mirror', 'garbage', '--environment', name];
    const listed = await cli.run(words);
    expect(listed.stdout).toContain(`${target}@${old}`);
    expect(listed.stderr).toBe('');
    // what is looked at ends at the limit, and says so
    const some = await cli.run([...words, '--limit', '1']);
    expect([some.code, some.stderr]).toEqual([0, expect.stringContaining('there may be more')]);

    // who takes images from the mirror names it there
    await putRelease('2.1', `${target}:2.0`);
    expect(await mirrored('garbage')).toEqual([]);
    const named = await api.request('DELETE', `/v1/mirror/images/${old}?target=${target}`);
    expect([named.status, JSON.stringify(named.body)]).toEqual([
      409,
      expect.stringContaining('a release or a job names it'),
    ]);
    const unnamed = await api.request('DELETE', `/v1/releases/${name}-2.1`);
    expect(unnamed.status, JSON.stringify(unnamed.body)).toBe(204);

    const taken = await cli.run([...words, '--delete']);
    expect([taken.code, taken.stdout, taken.stderr]).toEqual([0, `${target}@${old} deleted\n`, '']);
    expect(await to.tags()).toEqual(['3.0']);
    expect(await mirrored('images')).toMatchObject([{ digest: wanted, upgrade: next.id }]);
    expect(await version()).toBe('3.0');
  });

  it('kill -9 of the mirror in mid-copy: nothing is tagged by half, and another attempt completes it', async () => {
    const gate = await HeldSource.start(source);
    cleanups.push(() => gate.stop());
    sourceOfThis = { ...source, host: gate.host };
    await begin();
    const digest = await from.push('2.0', await serviceImage(httpService('2.0', port), 12 * MIB));
    await documents({ bytesPerSecond: 2 * MIB });
    const { id } = await upgrade();
    await waitFor(() => mirror.uploads(`team/shop/${name}`) > 0, {
      what: 'an upload',
      deadlineMs: 60_000,
      everyMs: 20,
    });
    const service = fleet.fleet.service('mirror');
    await service.kill9();
    expect(await to.tags()).toEqual([]);
    gate.open();
    await service.restart();
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    expect(await to.digest('2.0')).toBe(digest);
    expect(await version()).toBe('2.0');
    const history = await api.history(id);
    const attempts = history.filter(
      ({ type, data }) => type === 'step-dispatched' && data['action'] === 'image.mirror',
    );
    expect(attempts.length).toBeGreaterThan(1);
    // who waits is told how far it is
    const logs = await api.request('GET', `/v1/upgrades/${id}/logs?step=prepare/mirror/image-1`);
    expect(JSON.stringify(logs.body)).toMatch(/\d+\.\d of 1\d\.\d MiB, \d\.\d MiB\/s, \d+ s left/);
  });
});

describe('an environment that trusts keys', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keys = [publicKey.export({ type: 'spki', format: 'pem' }).toString()];

  it('an image that is not signed is refused when planned, by its name, the rule and what was found', async () => {
    const digest = await from.push('2.0', await serviceImage(httpService('2.0', port)));
    const rule = `${source.host}/shop/*`;
    await documents({ trust: [{ images: rule, keys }] });
    const refused = await api.untilEnded((await upgrade()).id);
    expect([refused.state, refused.error?.code]).toEqual(['failed', 'image_untrusted']);
    for (const part of [imageOf('2.0'), digest, `trust rule ${rule}`, 'is not signed'])
      expect(refused.message).toContain(part);

    // by whom it is signed counts
    await from.sign(digest, other.privateKey);
    const foreign = await api.untilEnded((await upgrade()).id);
    expect(foreign.error?.code).toBe('image_untrusted');
    expect(foreign.message).toContain('has 1 signature(s)');
    expect(await to.tags()).toEqual([]);
    expect(await version()).toBe('1.0');
  });

  it('a signature that is gone by the time of the copy: no tag is written, and the upgrade fails before anything is touched', async () => {
    const digest = await from.push('2.0', await serviceImage(httpService('2.0', port)));
    const signature = await from.sign(digest, privateKey);
    await documents({ trust: [{ images: '**', keys }] });
    const { id } = await upgrade({ approval: 'required' });
    await api.until(id, 'awaiting_approval');
    await from.deleteManifest(signature);
    await api.act(id, 'approve');
    const end = await api.untilEnded(id);
    expect([end.state, end.error?.code]).toEqual(['failed', 'image_untrusted']);
    expect(await to.tags()).toEqual([]);

    // signed again, it goes there with its signature
    await from.sign(digest, privateKey);
    const signed = await api.untilEnded((await upgrade()).id);
    expect(signed.state, signed.message).toBe('succeeded');
    expect(await to.tags()).toEqual(['2.0', `${digest.replace(':', '-')}.sig`]);
    expect(await version()).toBe('2.0');
  });
});
