import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StepTarget } from '#contracts';
import { SecretStore, type Driver } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { freePort } from '#fleet';
import { Certificates } from '../../../../test/support/certificates.js';
import { damage, plantTree, treeDigest } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { OwnEngine } from '../../../../test/support/own-engine.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { SshServer } from '../../../../test/support/ssh-server.js';
import {
  contextFor,
  observe,
  SSH,
  sshSecrets,
  startWithData,
  targetOf,
  TLS,
  type FarContainer,
} from './far-engine.js';

const PREFIX = 'dkend';
const IMAGE = 'liftlock-test-endpoints:1.0';

type Kind = 'ssh' | 'tls';

let ours: Certificates;
let theirs: Certificates;
let own: OwnEngine;
let tlsPort: number;
let sshd: SshServer;
let secrets: Record<string, string>;
let driver: Driver;
/** The run's engine, by SSH; an own one, by TLS. */
let hosts: Record<Kind, { readonly docker: Docker; readonly target: StepTarget }>;
let images: Record<Kind, string>;
const folders: string[] = [];

beforeAll(async () => {
  ours = new Certificates('ours');
  theirs = new Certificates('theirs');
  ours.sign('server', 'serverAuth', 'IP:127.0.0.1');
  ours.sign('client', 'clientAuth');
  theirs.sign('client', 'clientAuth');
  tlsPort = await freePort();
  own = await OwnEngine.start([
    ...['-H', `tcp://127.0.0.1:${tlsPort}`, '--tlsverify', '--tlscacert', ours.path('ca.pem')],
    ...['--tlscert', ours.path('server.pem'), '--tlskey', ours.path('server.key')],
  ]);
  sshd = await SshServer.start();
  const shared = await openEngine();
  const remoteSocket = shared.endpoint.slice('unix://'.length);
  hosts = {
    ssh: { docker: shared.docker, target: targetOf(sshd.endpoint(remoteSocket), SSH) },
    tls: { docker: own.docker, target: targetOf(`tcp://127.0.0.1:${tlsPort}`, TLS) },
  };
  images = {
    ssh: await serviceImage(hosts.ssh.docker, IMAGE, '1.0'),
    tls: await serviceImage(hosts.tls.docker, IMAGE, '1.0'),
  };
});
beforeEach(async () => {
  secrets = {
    LIFTLOCK_SECRET_CA: ours.read('ca.pem'),
    LIFTLOCK_SECRET_CERT: ours.read('client.pem'),
    LIFTLOCK_SECRET_TLS_KEY: ours.read('client.key'),
    ...sshSecrets(sshd),
  };
  driver = await dockerDriver(new SecretStore({ variables: secrets }));
  return async () => {
    await driver.close();
    for (const { docker } of Object.values(hosts)) await cleanUp(docker, PREFIX);
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  };
});
afterAll(async () => {
  await Promise.all([own?.stop(), sshd?.stop()]);
  ours?.remove();
  theirs?.remove();
});

async function start(kind: Kind, name: string): Promise<FarContainer> {
  const made = await startWithData(hosts[kind].docker, `${PREFIX}-${name}`, images[kind]);
  folders.push(made.folder);
  return made;
}

describe.each(['ssh', 'tls'] as const)('an engine that is reached by %s', (kind) => {
  test('is upgraded: looked at, stopped, replaced, checked, with its log and a command', async () => {
    const host = hosts[kind];
    const one = await start(kind, 'whole');
    const context = contextFor(host.target);
    const seen = await observe(driver, host.target, [one.container]);
    expect(seen.containers).toMatchObject([{ found: true, running: true }]);
    await driver.instances.stop(context, one);
    const { containerId } = await driver.instances.replace(context, {
      ...one,
      image: { reference: IMAGE, id: images[kind] },
      env: {},
    });
    expect(containerId).not.toBe(one.containerId);
    for (const check of [
      { type: 'log' as const, patterns: ['version 1.0 ready'] },
      {
        type: 'command' as const,
        command: ['cat', '/srv/index.html'],
        exitCode: 0,
        stdout: '^1.0',
      },
    ]) {
      const { detail } = await driver.checks.check(context, {
        ...one,
        check: {
          ...check,
          failPatterns: [],
          deadlineSeconds: 60,
          intervalMs: 50,
          stableSeconds: 0,
        },
      });
      expect(detail).not.toBe('');
    }
  });

  test('gives a snapshot of everything a file system may hold, and takes it back exactly', async () => {
    const host = hosts[kind];
    const one = await start(kind, 'data');
    await plantTree(one.folder);
    // more than any window or buffer on the way
    writeFileSync(join(one.folder, 'large'), randomBytes(24 * 1024 * 1024));
    await host.docker.getContainer(one.containerId).stop();
    const digest = treeDigest(one.folder);
    const archive = await buffer(await driver.data.read(contextFor(host.target), one));
    damage(one.folder);
    rmSync(join(one.folder, 'large'));
    expect(treeDigest(one.folder)).not.toBe(digest);
    await driver.data.write(contextFor(host.target), one, Readable.from([archive]));
    expect(treeDigest(one.folder)).toBe(digest);
    const list = await driver.data.list(contextFor(host.target), one);
    expect(list.length).toBeGreaterThan(20);
  });

  test('answers many calls at the same time', async () => {
    const { target } = hosts[kind];
    const answers = await Promise.all(Array.from({ length: 20 }, () => observe(driver, target)));
    expect(answers.flatMap(({ containers }) => containers.map(({ found }) => found))).toEqual(
      Array.from({ length: 20 }, () => false),
    );
  });
});

test('several hosts at the same time: each answers for itself', async () => {
  await start('ssh', 'here');
  await start('tls', 'there');
  const names = [`${PREFIX}-here`, `${PREFIX}-there`];
  const found = await Promise.all(
    (['ssh', 'tls'] as const).map(async (kind) =>
      (await observe(driver, hosts[kind].target, names)).containers.map((one) => one.found),
    ),
  );
  expect(found).toEqual([
    [true, false],
    [false, true],
  ]);
});

test('what the environment says of an engine moves no call to another one', async () => {
  vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:9');
  vi.stubEnv('DOCKER_TLS_VERIFY', '1');
  try {
    await start('tls', 'meant');
    const direct = await dockerDriver();
    const { containers } = await observe(direct, targetOf(own.host), [`${PREFIX}-meant`]);
    expect(containers).toMatchObject([{ found: true }]);
    await direct.close();
  } finally {
    vi.unstubAllEnvs();
  }
});

describe('TLS', () => {
  const at = (host: string): StepTarget => targetOf(`tcp://${host}:${tlsPort}`, TLS);

  test('an engine that another authority signed for is not spoken to', async () => {
    secrets['LIFTLOCK_SECRET_CA'] = theirs.read('ca.pem');
    const error = await failureOf(observe(driver, at('127.0.0.1')));
    expect(error).toMatchObject({ code: 'target_untrusted', retryable: false });
    expect(error.message).toMatch(/far .*signed by credentials\.ca/);
  });

  test('an engine whose certificate names another host is not spoken to', async () => {
    const error = await failureOf(observe(driver, at('localhost')));
    expect(error.code).toBe('target_untrusted');
  });

  test('our certificate, signed by another authority, is refused by name', async () => {
    secrets['LIFTLOCK_SECRET_CERT'] = theirs.read('client.pem');
    secrets['LIFTLOCK_SECRET_TLS_KEY'] = theirs.read('client.key');
    const error = await failureOf(observe(driver, at('127.0.0.1')));
    expect(error).toMatchObject({ code: 'target_refused', retryable: false });
    expect(error.message).toMatch(/refused our certificate.*credentials\.certificate/);
  });

  test('a key that is not the certificate’s is named, and never shown', async () => {
    secrets['LIFTLOCK_SECRET_TLS_KEY'] = theirs.read('client.key');
    const error = await failureOf(observe(driver, at('127.0.0.1')));
    expect(error).toMatchObject({ code: 'misconfigured' });
    expect(JSON.stringify(error.toShape())).not.toContain('PRIVATE KEY');
  });

  test('without certificates it is refused off loopback, and on it the engine says what it wants', async () => {
    const refused = await failureOf(observe(driver, targetOf('tcp://192.0.2.1:2375')));
    expect(refused).toMatchObject({ code: 'misconfigured' });
    expect(refused.message).toMatch(/certificates of both sides.*ssh:\/\//);
    const plain = await failureOf(observe(driver, targetOf(`tcp://127.0.0.1:${tlsPort}`)));
    expect(plain).toMatchObject({ code: 'target_refused' });
    expect(plain.message).toMatch(/HTTPS/);
  });
});
