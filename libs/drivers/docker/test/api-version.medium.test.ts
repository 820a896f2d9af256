import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { StepTarget } from '#contracts';
import { SecretStore, type Driver } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { Certificates } from '../../../../test/support/certificates.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { observe, SSH, targetOf, TLS } from './far-engine.js';

// Stand-ins: no real engine is that old or that new, and none is silent.
let driver: Driver;
let certificates: Certificates;
let hostKey: string;
let secrets: Record<string, string>;
const servers: Server[] = [];

beforeAll(() => {
  certificates = new Certificates('ours');
  certificates.sign('client', 'clientAuth');
  const folder = mkdtempSync(join(tmpdir(), 'liftlock-key-'));
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')]);
  hostKey = readFileSync(join(folder, 'key.pub'), 'utf8');
  secrets = {
    LIFTLOCK_SECRET_CA: certificates.read('ca.pem'),
    LIFTLOCK_SECRET_CERT: certificates.read('client.pem'),
    LIFTLOCK_SECRET_TLS_KEY: certificates.read('client.key'),
    LIFTLOCK_SECRET_SSH_KEY: readFileSync(join(folder, 'key'), 'utf8'),
  };
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  driver = await dockerDriver(new SecretStore({ variables: secrets }));
});
afterEach(async () => {
  await driver.close();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => certificates?.remove());

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function answering(listener: RequestListener): Promise<StepTarget> {
  return targetOf(`tcp://127.0.0.1:${await portOf(createServer(listener))}`);
}

/** Says this of itself, in short and in full. */
function saying(version: {
  Version?: string;
  ApiVersion?: string;
  MinAPIVersion?: string;
}): Promise<StepTarget> {
  return answering((_request, response) =>
    response.setHeader('Api-Version', version.ApiVersion ?? '').end(JSON.stringify(version)),
  );
}

const sshAt = (port: number): StepTarget => {
  secrets['LIFTLOCK_SECRET_KNOWN_HOSTS'] = `[127.0.0.1]:${port} ${hostKey}`;
  return targetOf(`ssh://root@127.0.0.1:${port}`, SSH);
};

test('an engine that is too old or too new is named, with what each speaks', async () => {
  const old = await failureOf(
    observe(driver, await saying({ Version: '17.03', ApiVersion: '1.26', MinAPIVersion: '1.12' })),
  );
  expect(old).toMatchObject({ code: 'target_refused', retryable: false });
  expect(old.message).toMatch(
    /17\.03 of far .*1\.12 to 1\.26; .*speaks 1\.40 to .*upgrade that engine/,
  );
  const young = await failureOf(
    observe(driver, await saying({ Version: '99.0', ApiVersion: '1.99', MinAPIVersion: '1.90' })),
  );
  expect(young.message).toMatch(/1\.90 to 1\.99.*upgrade Liftlock/);
  expect((await failureOf(observe(driver, await saying({})))).message).toMatch(
    /is it a Docker Engine/,
  );
});

test('one that is exchanged for an older engine is asked again what it speaks', async () => {
  const versions = ['1.44', '1.41'];
  const paths: string[] = [];
  const target = await answering((request, response) => {
    const { url = '' } = request;
    paths.push(url);
    if (url === '/_ping')
      return response.setHeader('Api-Version', versions.shift() ?? '').end('OK');
    if (url === '/v1.41/version') return response.end('{}');
    if (url.startsWith('/v1.44/')) {
      const message = 'client version 1.44 is too new. Maximum supported API version is 1.41';
      return response.writeHead(400).end(JSON.stringify({ message }));
    }
    return response.writeHead(404).end(JSON.stringify({ message: 'no such container' }));
  });
  const first = await failureOf(observe(driver, target));
  expect(first.message).toMatch(/too new/);
  expect(first).toMatchObject({ code: 'target_unreachable', retryable: true });
  expect((await observe(driver, target)).containers).toMatchObject([{ found: false }]);
  expect(paths.filter((path) => path.startsWith('/v1.41/'))).not.toEqual([]);
});

test('a port that takes connections and says nothing is given up on in time', async () => {
  const port = await portOf(createTcpServer(() => undefined));
  const [tls, ssh] = await Promise.all([
    failureOf(observe(driver, targetOf(`tcp://127.0.0.1:${port}`, TLS))),
    failureOf(observe(driver, sshAt(port))),
  ]);
  for (const error of [tls, ssh])
    expect(error).toMatchObject({ code: 'target_unreachable', retryable: true });
});

test('TLS to a port that speaks none, and SSH to one that speaks something else', async () => {
  const { endpoint } = await saying({});
  const tls = await failureOf(observe(driver, targetOf(endpoint, TLS)));
  expect(tls.message).toMatch(/does not speak TLS/);
  const ssh = await failureOf(observe(driver, sshAt(Number(endpoint.split(':').at(-1)))));
  expect(ssh.code).toBe('target_unreachable');
});
