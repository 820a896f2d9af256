import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedFleet } from '#fleet';
import { waitFor } from '#kernel';
import { ApiClient } from '../support/api-client.js';
import { Cli } from '../support/cli.js';
import { startDocker, type TestEngine } from '../support/docker.js';
import { Guestbook } from './guestbook.js';

const run = promisify(execFile);
const HELPER = 'liftlock-test-gnu-tools:1';
const PROGRAMS = ['/bin/sh', '/bin/tar', '/usr/bin/find', '/bin/mkdir'];

let folder: string;
let fleet: EmbeddedFleet;
let engine: TestEngine;
let book: Guestbook;
let runbook: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-runbook-'));
  engine = await startDocker();
  fleet = await EmbeddedFleet.start({ folder, tied: true, fsync: false });
  importTools();
});
afterAll(async () => {
  await fleet.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  book = await Guestbook.create(new ApiClient(fleet.url, fleet.token), engine.host);
  await book.sign('before');
});
afterEach(async () => {
  await book.remove();
});

/** An image of this machine's GNU tools, with the libraries that they load: what `debian` would be where one can be pulled. */
function importTools(): void {
  const files = new Set(PROGRAMS);
  for (const program of PROGRAMS) {
    for (const [library] of execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/\/\S+/g))
      files.add(library);
  }
  const root = execFileSync('tar', ['-ch', ...files], {
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const env = { ...process.env, DOCKER_HOST: engine.host };
  execFileSync('docker', ['import', '-', HELPER], { env, input: root, stdio: 'pipe' });
}

/** Takes the runbook of an upgrade, as a person would have it printed before. */
async function print(version: '2.0' | '3.0'): Promise<void> {
  const cli = Cli.of(fleet.url, fleet.token);
  const end = await cli.run([
    ...['plan', book.name, book.name, `${book.name}-${version}`, '-o', 'runbook'],
  ]);
  expect(end.code, end.stderr).toBe(0);
  runbook = end.stdout;
}

/** Types all commands of the parts whose headings begin so, from top to bottom. */
async function follow(...headings: readonly string[]): Promise<void> {
  const place = join(folder, book.name);
  mkdirSync(place, { recursive: true });
  const env = { ...process.env, BACKUPS: place, HELPER };
  for (const part of runbook.split('\n## ').slice(1)) {
    if (!headings.some((heading) => part.startsWith(heading))) continue;
    for (const [, script = ''] of part.matchAll(/```sh\n([^]*?)```/g)) {
      const file = join(place, 'step.sh');
      writeFileSync(file, `set -e\n${script}`);
      const options = { env, cwd: place, timeout: 300_000 };
      await run('bash', [file], options).catch((error: unknown) => {
        throw new Error(script, { cause: error });
      });
    }
  }
}

const restartPolicy = (): Promise<string> =>
  book.docker('inspect', '-f', '{{.HostConfig.RestartPolicy.Name}}', book.name);
const answers = (version: string): Promise<unknown> =>
  waitFor(async () => (await book.version()) === version, {
    what: `the guest book answers as ${version}`,
    deadlineMs: 60_000,
  });

describe('a runbook, followed by hand', () => {
  it('brings the new version up on the data, as the old one was reached and restarted', async () => {
    await print('2.0');
    await follow('Prepare', 'Hop 1');
    await answers('2.0');
    expect(await book.entries()).toContain('before');
    expect(await restartPolicy()).toBe('unless-stopped');
    await follow('Finalize');
    expect(await book.containers()).toEqual([book.name]);
  });

  it('brings the old version and its data back to the byte', async () => {
    const before = await book.dataDigest();
    await print('3.0');
    // its check fails, as a person would see
    await expect(follow('Prepare', 'Hop 1')).rejects.toThrow('curl');
    // the new version spoils it as soon as it comes to it
    await expect.poll(() => book.dataDigest()).not.toBe(before);
    await follow('Back');
    await answers('1.0');
    expect(await book.dataDigest()).toBe(before);
    expect(await restartPolicy()).toBe('unless-stopped');
    expect(await book.containers()).toEqual([book.name]);
  });
});
