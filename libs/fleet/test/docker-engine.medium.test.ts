import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import Docker from 'dockerode';
import { pack } from 'tar-stream';
import { afterAll, afterEach, describe, expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import {
  findDockerEngine,
  findProgram,
  identify,
  isAlive,
  signalProcess,
  startPrivateEngine,
  type DockerEngine,
} from '#fleet';
import { failureOf } from '../../../test/support/failure-of.js';
import { startDocker } from '../../../test/support/index.js';

const engines: DockerEngine[] = [];
afterAll(async () => {
  for (const engine of engines) await engine.remove();
});

/** An image with nothing but a static busybox, made on the spot. */
async function importBusybox(docker: Docker): Promise<void> {
  const tar = pack();
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, readFileSync(findProgram('busybox') ?? ''));
  tar.finalize();
  const stream = await docker.importImage(Readable.from(tar), { repo: 'busybox', tag: 'test' });
  stream.resume();
  await new Promise((resolve) => stream.once('end', resolve));
}

async function startSleeper(docker: Docker): Promise<Docker.Container> {
  const container = await docker.createContainer({
    Image: 'busybox:test',
    Cmd: ['/bin/busybox', 'sleep', '600'],
    StopTimeout: 1,
    Labels: { 'liftlock.test': 'sleeper' },
  });
  await container.start();
  return container;
}

/** Processes whose command line names this folder. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
      } catch {
        return false;
      }
    });
}

async function networkOf(socketPath: string | undefined): Promise<string> {
  const network = await new Docker({ socketPath }).getNetwork('bridge').inspect();
  return z
    .object({ IPAM: z.object({ Config: z.tuple([z.object({ Subnet: z.string() })]) }) })
    .parse(network).IPAM.Config[0].Subnet;
}

describe('the Docker Engine of a run', () => {
  test('is one for all who ask, and runs a container', async () => {
    const [first, second] = await Promise.all([startDocker(), startDocker()]);
    expect(second.host).toBe(first.host);
    const docker = new Docker({ socketPath: first.socketPath });
    await importBusybox(docker);
    const container = await startSleeper(docker);
    expect((await container.inspect()).State.Running).toBe(true);
    await container.remove({ force: true });
  });
});

/** A dockerd, before the real one on the PATH, that ends with these words as often as is said; returns how often it was started. */
function fakeDockerd(name: string, words: string, fails: number): () => number {
  const folder = join(inject('servers').folder, name);
  mkdirSync(folder);
  const [file, starts] = [join(folder, 'dockerd'), join(folder, 'starts')];
  const count = `echo >> ${starts}; [ $(wc -l < ${starts}) -gt ${fails} ]`;
  const real = findProgram('dockerd') ?? '';
  writeFileSync(
    file,
    `#!/bin/sh\nif ${count}; then exec ${real} "$@"; fi\necho '${words}' >&2\nexit 1\n`,
  );
  chmodSync(file, 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
  return () => readFileSync(starts, 'utf8').length;
}

describe('a private engine', () => {
  afterEach(() => void vi.unstubAllEnvs());

  test('runs beside another, and stopping it leaves no process, bridge, mount or socket', async () => {
    await startDocker();
    const engine = await startPrivateEngine({
      folder: join(inject('servers').folder, 'second'),
      tied: true,
    });
    engines.push(engine);
    const docker = new Docker({ socketPath: engine.socketPath });
    await importBusybox(docker);
    await startSleeper(docker);
    const runFolder = join(engine.socketPath ?? '', '..');
    expect(processesOf(runFolder).length).toBeGreaterThan(0);
    await engine.stop();
    expect(processesOf(runFolder)).toEqual([]);
    expect(existsSync(runFolder)).toBe(false);
    expect(existsSync(`/sys/class/net/llk-${runFolder.slice(-8)}`)).toBe(false);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(runFolder);
  });

  test('has a network that no other engine has, also when two start at once and none has a container yet', async () => {
    const run = await startDocker();
    const [one, two] = await Promise.all(
      ['fourth', 'fifth'].map((name) =>
        startPrivateEngine({ folder: join(inject('servers').folder, name), tied: true }),
      ),
    );
    for (const engine of [one, two]) if (engine !== undefined) engines.push(engine);
    const sockets = [run.socketPath, one?.socketPath, two?.socketPath];
    const networks = await Promise.all(sockets.map(networkOf));
    expect(new Set(networks).size).toBe(3);
  });

  test('that was killed leaves nothing behind once it is stopped, and starts again with its images', async () => {
    const folder = join(inject('servers').folder, 'third');
    const engine = await startPrivateEngine({ folder, tied: true });
    engines.push(engine);
    const docker = new Docker({ socketPath: engine.socketPath });
    await importBusybox(docker);
    const container = await startSleeper(docker);
    const sleeper = identify((await container.inspect()).State.Pid);
    if (sleeper === undefined) throw new Error('it does not run');
    if (engine.identity !== undefined) signalProcess(engine.identity, 'SIGKILL');
    await engine.stop();
    // it may have nobody yet who reaps it
    expect(isAlive(sleeper)).toBe(false);
    const again = await startPrivateEngine({ folder, tied: true });
    engines.push(again);
    expect(
      await new Docker({ socketPath: again.socketPath }).getImage('busybox:test').inspect(),
    ).toBeDefined();
  });

  test('whose containerd is late is started again, on the same disk', async () => {
    const late = 'failed to start containerd: timeout waiting for containerd to start';
    const starts = fakeDockerd('late', late, 1);
    const folder = join(inject('servers').folder, 'sixth');
    const data = join(folder, 'data');
    mkdirSync(data, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', data]);
    const engine = await startPrivateEngine({ folder, tied: true });
    engines.push(engine);
    expect(await engine.isRunning()).toBe(true);
    expect(starts()).toBeGreaterThan(1);
    expect(readFileSync('/proc/self/mounts', 'utf8')).toContain(`tmpfs ${data} tmpfs`);
  });

  test.each([
    ['never', 'failed to start containerd: timeout waiting for containerd to start', 3],
    ['other', 'unable to configure the Docker daemon: unknown flag', 1],
  ])('that ends each time is given up, with its last words: %s', async (name, words, times) => {
    const starts = fakeDockerd(name, words, 9);
    const folder = join(inject('servers').folder, `engine-${name}`);
    const error = await failureOf(startPrivateEngine({ folder, tied: true }));
    expect([error.code, starts()]).toEqual(['unavailable', times]);
    expect(error.message).toContain(`ended before it answered: ${words}`);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(folder);
  });

  test('DOCKER_HOST that does not answer is passed over, not failed on', async () => {
    const found = await findDockerEngine({ DOCKER_HOST: 'unix:///nowhere/docker.sock' });
    expect(found?.host).not.toBe('unix:///nowhere/docker.sock');
  });
});
