import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Registries, type Repository } from '#oci';
import { waitFor } from '#kernel';
import { Cli } from '../../../test/support/cli.js';
import { PlainRepository, serviceImage } from '../../../test/support/registry-image.js';
import {
  REGISTRY_LOGIN,
  startRegistryServer,
  type RegistryServer,
} from '../../../test/support/registry.js';
import { runCli } from '../src/program.js';

let server: RegistryServer;
let other: RegistryServer;
let registries: Registries;
let folder: string;

beforeAll(async () => {
  [server, other] = await Promise.all([startRegistryServer(), startRegistryServer()]);
  registries = new Registries({ settings: { [server.host]: { insecure: true } } });
  folder = mkdtempSync(join(tmpdir(), 'liftlock-mirror-'));
});

afterAll(async () => {
  registries.close();
  await Promise.all([server.stop(), other.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

async function liftlock(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runCli(args, {
    write: (text) => void (out += text),
    writeError: (text) => void (err += text),
    isTerminal: false,
    isErrorTerminal: false,
    width: () => 100,
    ask: () => Promise.resolve(undefined),
  });
  return { code, out, err };
}

/** What `docker save` wrote before 25, of one layer; its file may be filled up with zeros. */
function archive(name: string, size = 0): string {
  const root = mkdtempSync(join(folder, 'image-'));
  mkdirSync(join(root, 'l'));
  writeFileSync(join(root, 'file'), randomBytes(5_000));
  if (size > 0) truncateSync(join(root, 'file'), size);
  execFileSync('tar', ['-C', root, '-cf', join(root, 'l/layer.tar'), 'file']);
  const diffId = `sha256:${createHash('sha256')
    .update(readFileSync(join(root, 'l/layer.tar')))
    .digest('hex')}`;
  const config = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [diffId] },
  };
  writeFileSync(join(root, 'c.json'), JSON.stringify(config));
  writeFileSync(
    join(root, 'manifest.json'),
    JSON.stringify([{ Config: 'c.json', RepoTags: [name], Layers: ['l/layer.tar'] }]),
  );
  const file = `${root}.tar`;
  execFileSync('tar', ['-C', root, '-cf', file, 'l', 'c.json', 'manifest.json']);
  return file;
}

function repository(name: string): Repository {
  return registries.repository({ registry: server.host, repository: name }, 'push');
}

const insecure = (): string[] => ['--insecure', server.host];

describe('liftlock mirror', () => {
  test('copies an archive into a registry, and on to another place, with the same digest', async () => {
    const file = archive('app:1.0');
    const first = await liftlock(
      'mirror',
      'copy',
      file,
      `${server.host}/app:1.0`,
      ...insecure(),
      '-o',
      'json',
    );
    expect(first).toMatchObject({ code: 0, err: '' });
    const { digest, found } = JSON.parse(first.out) as { digest: string; found: string };
    expect(found).toBe('copied');
    const second = await liftlock(
      'mirror',
      'copy',
      `docker://${server.host}/app:1.0`,
      `${server.host}/b/app:1.0`,
      '--also-tag',
      'latest',
      ...insecure(),
    );
    expect(second.code).toBe(0);
    expect(second.err).toContain(digest);
    expect((await repository('b/app').manifest('latest')).digest).toBe(digest);
    const again = await liftlock('mirror', 'copy', file, `${server.host}/app:1.0`, ...insecure());
    expect(again.err).toContain('was there');
  });

  test('shows what an image is made of, and the tags of a repository', async () => {
    await liftlock('mirror', 'copy', archive('x'), `${server.host}/inspected:v1`, ...insecure());
    const shown = await liftlock('mirror', 'inspect', `${server.host}/inspected:v1`, ...insecure());
    expect(shown.out).toMatch(/^sha256:[0-9a-f]{64} {2}application\/vnd\.oci\.image\.manifest/);
    expect(shown.out).toContain('layer.v1.tar');
    expect((await liftlock('mirror', 'tags', `${server.host}/inspected`, ...insecure())).out).toBe(
      'v1\n',
    );
    const none = await liftlock('mirror', 'tags', `${server.host}/inspectde`, ...insecure());
    expect(none.code).not.toBe(0);
    expect(none.err).toContain('inspectde has no tags');
  });

  test('a list: tags by range, one image that fails alone, and the exit code that says so', async () => {
    for (const tag of ['1.0.0', '1.2.0', '1.10.0', '2.0.0', 'edge'])
      await liftlock(
        'mirror',
        'copy',
        archive('x'),
        `${server.host}/versions:${tag}`,
        ...insecure(),
      );
    const file = join(folder, 'list.yaml');
    const text = (more: string): string => `target: ${server.host}/mirrored
registries:
  ${server.host}: { insecure: true }
images:
  - from: ${server.host}/versions
    semver: '>=1.2 <2'
  - from: ${server.host}/versions
    to: ${server.host}/newest
    match: '^[0-9.]+$'
    newest: 1
${more}`;
    writeFileSync(file, text(''));
    const whole = await liftlock('mirror', 'sync', file);
    expect(whole.code).toBe(0);
    expect((await repository('mirrored/versions').tags()).toSorted()).toEqual(['1.10.0', '1.2.0']);
    expect(await repository('newest').tags()).toEqual(['2.0.0']);
    writeFileSync(file, text(`  - from: ${server.host}/nothing:1\n`));
    const partly = await liftlock('mirror', 'sync', file);
    expect(partly.code).toBe(1);
    expect(partly.err).toMatch(/nothing:1 {2}FAILED/);
    expect(partly.err).toContain('3 of 4 images there');
  });

  test('a list with a mistake names its line', async () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, 'images:\n  - from: a\n    semvar: 1\n');
    const { code, err } = await liftlock('mirror', 'sync', file);
    expect(code).toBe(2);
    expect(err).toMatch(/line 3.*semvar|line 2.*semvar/);
  });

  test('plain HTTP is spoken only when it was said', async () => {
    const { code, err } = await liftlock('mirror', 'inspect', `${server.host}/app:1.0`);
    expect(code).toBe(1);
    expect(err).toContain('insecure');
  });

  test('an image that is not signed by the key is not tagged; one that is, is', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = join(folder, 'cosign.pub');
    writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }));
    await liftlock('mirror', 'copy', archive('x'), `${server.host}/unsigned:1`, ...insecure());
    const refused = await liftlock(
      'mirror',
      'copy',
      `${server.host}/unsigned:1`,
      `${server.host}/trusted:1`,
      '--key',
      key,
      ...insecure(),
    );
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('is not signed');
    expect(await repository('trusted').tags()).toEqual([]);
    const { digest } = await repository('unsigned').manifest('1');
    const signed = new PlainRepository(server.host, 'unsigned');
    await signed.sign(digest, privateKey);
    const taken = await liftlock(
      'mirror',
      'copy',
      `${server.host}/unsigned:1`,
      `${server.host}/trusted:1`,
      '--key',
      key,
      ...insecure(),
    );
    expect(taken.code).toBe(0);
    expect((await repository('trusted').tags()).toSorted()).toEqual(
      ['1', `${digest.replace(':', '-')}.sig`].toSorted(),
    );
    // the same signature for another image says nothing of that one
    await liftlock('mirror', 'copy', archive('y'), `${server.host}/unsigned:2`, ...insecure());
    const other = (await repository('unsigned').manifest('2')).digest;
    await signed.sign(digest, privateKey, other);
    const moved = await liftlock(
      'mirror',
      'copy',
      `${server.host}/unsigned:2`,
      `${server.host}/trusted:2`,
      '--key',
      key,
      ...insecure(),
    );
    expect(moved.err).toContain('none of them for this digest');
  });
});

describe('liftlock mirror copy, as a process', () => {
  test('a blob is never in memory, and neither is what was read of it: it stays below 125 MiB', async () => {
    const cli = new Cli({});
    const places = [
      archive('big', 256 * 1024 ** 2),
      `${server.host}/big/a:1`,
      `${other.host}/big/b:1`,
    ];
    const hosts = ['--insecure', server.host, '--insecure', other.host];
    for (const [at, to] of places.slice(1).entries()) {
      const words = ['mirror', 'copy', places[at] ?? '', to, ...hosts];
      const run = cli.start(words, '', { isMeasured: true });
      const peak = await run.peakBytes();
      const { code, stderr } = await run.end;
      expect(code, stderr).toBe(0);
      expect(stderr).toContain('256.0 MiB');
      expect(peak).toBeGreaterThan(40 * 1024 ** 2);
      expect(peak).toBeLessThan(125 * 1024 ** 2);
    }
  });

  test('kill -9 in mid-copy: nothing is tagged by half, and the same command completes it', async () => {
    const login = REGISTRY_LOGIN;
    const closed = await startRegistryServer({ htpasswd: login.htpasswd });
    try {
      const from = new PlainRepository(closed.host, 'shop/app', login);
      const digest = await from.push('2.0', await serviceImage('exec sleep 600', 12 * 1024 ** 2));
      const file = join(folder, 'auth.json');
      const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
      writeFileSync(file, JSON.stringify({ auths: { [closed.host]: { auth } } }));
      const cli = new Cli({ REGISTRY_AUTH_FILE: file });
      const words = ['mirror', 'copy', `${closed.host}/shop/app:2.0`, `${server.host}/by-hand:2.0`];
      for (const { host } of [closed, server]) words.push('--insecure', host);
      // minutes: it ends in mid-copy however late it is killed
      const broken = cli.start([...words, '--limit', '64K']);
      await waitFor(() => server.uploads('by-hand') > 0, {
        ...{ what: 'an upload', deadlineMs: 60_000, everyMs: 20 },
      });
      broken.signal('SIGKILL');
      expect((await broken.end).code).toBe(-1);
      const copied = new PlainRepository(server.host, 'by-hand');
      expect(await copied.tags()).toEqual([]);
      const again = await cli.run(words);
      expect(again.code, again.stderr).toBe(0);
      expect(await copied.digest('2.0')).toBe(digest);
    } finally {
      await closed.stop();
    }
  });
});
