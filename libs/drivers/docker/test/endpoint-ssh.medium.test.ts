import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { StepTarget } from '#contracts';
import { SecretStore, type Driver } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { treeDigest } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { SshServer } from '../../../../test/support/ssh-server.js';
import {
  contextFor,
  observe,
  SSH,
  sshSecrets,
  startWithData,
  targetOf,
  type FarContainer,
} from './far-engine.js';

const PREFIX = 'dkssh';

let docker: Docker;
let image: string;
let sshd: SshServer;
let remoteSocket: string;
let target: StepTarget;
let secrets: Record<string, string>;
let driver: Driver;
const folders: string[] = [];

beforeAll(async () => {
  const shared = await openEngine();
  ({ docker } = shared);
  remoteSocket = shared.endpoint.slice('unix://'.length);
  sshd = await SshServer.start();
  target = targetOf(sshd.endpoint(remoteSocket), SSH);
  image = await serviceImage(docker, 'liftlock-test-ssh:1.0', '1.0');
});
beforeEach(async () => {
  secrets = sshSecrets(sshd);
  driver = await dockerDriver(new SecretStore({ variables: secrets }));
  return async () => {
    await driver.close();
    await cleanUp(docker, PREFIX);
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  };
});
afterAll(async () => {
  await sshd?.stop();
});

async function start(name: string): Promise<FarContainer> {
  const made = await startWithData(docker, `${PREFIX}-${name}`, image);
  folders.push(made.folder);
  return made;
}

test('a key that was made anew, or is not known, stops everything before a word is sent', async () => {
  secrets['LIFTLOCK_SECRET_KNOWN_HOSTS'] = sshd.knownHosts(sshd.file('stranger.pub'));
  const changed = await failureOf(observe(driver, target));
  expect(changed).toMatchObject({ code: 'target_untrusted', retryable: false });
  expect(changed.message).toMatch(/far .*shows the key SHA256:\S+, not the one in known_hosts/);
  secrets['LIFTLOCK_SECRET_KNOWN_HOSTS'] = `elsewhere ${sshd.file('host.pub')}`;
  const unknown = await failureOf(observe(driver, target));
  expect(unknown).toMatchObject({ code: 'target_untrusted' });
  expect(unknown.message).toMatch(
    /LIFTLOCK_SECRET_KNOWN_HOSTS knows no key.*ssh-keyscan -p \d+ 127/,
  );
  secrets['LIFTLOCK_SECRET_KNOWN_HOSTS'] = `@revoked ${sshd.knownHosts()}\n${sshd.knownHosts()}`;
  const revoked = await failureOf(observe(driver, target));
  expect(revoked).toMatchObject({ code: 'target_untrusted' });
  expect(revoked.message).toContain('revoked');
});

test('a key that the host does not let in, or that is none, is named, and never shown', async () => {
  secrets['LIFTLOCK_SECRET_SSH_KEY'] = sshd.file('stranger');
  const refused = await failureOf(observe(driver, target));
  expect(refused).toMatchObject({ code: 'target_refused', retryable: false });
  expect(refused.message).toContain('authorized_keys');
  for (const wrong of ['not a key', sshd.file('user.pub'), sshd.file('locked')]) {
    secrets['LIFTLOCK_SECRET_SSH_KEY'] = wrong;
    const error = await failureOf(observe(driver, target));
    expect(error).toMatchObject({ code: 'misconfigured' });
    expect(error.message).toMatch(/LIFTLOCK_SECRET_SSH_KEY is not a private key/);
    expect(JSON.stringify(error.toShape())).not.toContain(wrong);
  }
  delete secrets['LIFTLOCK_SECRET_SSH_KEY'];
  expect((await failureOf(observe(driver, target))).message).toMatch(
    /does not know LIFTLOCK_SECRET_SSH_KEY/,
  );
});

test('a key with a passphrase opens', async () => {
  secrets['LIFTLOCK_SECRET_SSH_KEY'] = sshd.file('locked');
  secrets['LIFTLOCK_SECRET_WORD'] = 'open sesame';
  const credentials = { ...SSH, passphrase: 'env:LIFTLOCK_SECRET_WORD' };
  const { containers } = await observe(driver, targetOf(target.endpoint, credentials), ['none']);
  expect(containers).toHaveLength(1);
  secrets['LIFTLOCK_SECRET_WORD'] = 'wrong';
  const other = await dockerDriver(new SecretStore({ variables: secrets }));
  const error = await failureOf(observe(other, targetOf(target.endpoint, credentials)));
  expect(error.code).toBe('misconfigured');
  await other.close();
});

test.each([
  ['a host that forbids forwarding', { config: ['AllowStreamLocalForwarding no'] }],
  [
    'a key that may run nothing but the engine’s command',
    { keyOptions: 'restrict,command="docker --host unix://$SOCKET system dial-stdio"' },
  ],
])('%s: by the command, data included', async (_name, options) => {
  const keyOptions = (options as { keyOptions?: string }).keyOptions?.replace(
    '$SOCKET',
    remoteSocket,
  );
  const strict = await SshServer.start({
    ...options,
    ...(keyOptions === undefined ? {} : { keyOptions }),
  });
  try {
    secrets['LIFTLOCK_SECRET_SSH_KEY'] = strict.file('user');
    secrets['LIFTLOCK_SECRET_KNOWN_HOSTS'] = strict.knownHosts();
    const there = targetOf(strict.endpoint(remoteSocket), SSH);
    const one = await start('strict');
    writeFileSync(join(one.folder, 'large'), randomBytes(4 * 1024 * 1024));
    const digest = treeDigest(one.folder);
    await driver.instances.stop(contextFor(there), one);
    const archive = await buffer(await driver.data.read(contextFor(there), one));
    rmSync(join(one.folder, 'large'));
    await driver.data.write(contextFor(there), one, Readable.from([archive]));
    expect(treeDigest(one.folder)).toBe(digest);
    const answers = await Promise.all(Array.from({ length: 12 }, () => observe(driver, there)));
    expect(answers).toHaveLength(12);
  } finally {
    await strict.stop();
  }
});

test('an engine that does not listen over there is named with both ways', async () => {
  const error = await failureOf(observe(driver, targetOf(sshd.endpoint('/nowhere.sock'), SSH)));
  expect(error).toMatchObject({ code: 'target_unreachable', retryable: true });
  expect(error.message).toMatch(/far.*dial-stdio.*forwarded.*may \w+ open \/nowhere\.sock/);
});

test('a host that goes away in mid-snapshot is an error to try again on, and is found again', async () => {
  const one = await start('away');
  writeFileSync(join(one.folder, 'large'), randomBytes(24 * 1024 * 1024));
  await docker.getContainer(one.containerId).stop();
  const attempt = contextFor(target);
  const stream = await driver.data.read(attempt, one);
  const reading = (async () => {
    for await (const _chunk of stream) await sshd.kill();
  })();
  const cut = await failureOf(reading);
  expect(cut.retryable, cut.message).toBe(true);
  const away = await failureOf(observe(driver, target));
  expect(away).toMatchObject({ code: 'target_unreachable', retryable: true });
  expect(away.message).toContain('far');
  await sshd.listen();
  // the helper may not know yet that nobody reads any more: the next attempt removes it
  const again = { ...contextFor(target), upgrade: attempt.upgrade, token: 2 };
  expect(await driver.data.usedBy(again, one)).toEqual([]);
  expect((await buffer(await driver.data.read(again, one))).length).toBeGreaterThan(24_000_000);
});
