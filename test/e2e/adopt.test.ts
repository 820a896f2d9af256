import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { EmbeddedFleet, freePort } from '#fleet';
import { buildImage, httpService } from '../support/busybox-image.js';
import { Cli } from '../support/cli.js';
import { startDocker } from '../support/docker.js';

const run = promisify(execFile);
let folder: string;
let fleet: EmbeddedFleet;
let cli: Cli;
let host: string;
let name: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-adopt-'));
  ({ host } = await startDocker());
  fleet = await EmbeddedFleet.start({ folder, tied: true, fsync: false });
  cli = Cli.of(fleet.url, fleet.token);
});
afterAll(async () => {
  await fleet?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  name = `adopt-${randomBytes(4).toString('hex')}`;
});
afterEach(async () => {
  await docker('rm', '--force', '--volumes', name).catch(() => undefined);
  await docker('image', 'rm', '--force', `${name}:1.0`, `${name}:2.0`).catch(() => undefined);
});

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, DOCKER_HOST: host });
async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args, { env: environment() })).stdout.trim();
}
const url = (): string => `docker://${host.slice('unix://'.length)}/${name}`;

it('a container that somebody once ran is adopted, and upgraded by what was written', async () => {
  const port = await freePort();
  for (const version of ['1.0', '2.0'])
    await buildImage(environment(), `${name}:${version}`, httpService(version, port));
  await docker(
    'run',
    '-d',
    '--name',
    name,
    '--network',
    'host',
    '-e',
    'MINE=1',
    '-v',
    '/data',
    `${name}:1.0`,
  );
  await docker('exec', name, 'sh', '-c', 'echo precious > /data/file');
  const file = join(folder, `${name}.yaml`);
  const adopted = await cli.run(['adopt', url(), '--environment', name, '-f', file]);
  expect(adopted.code, adopted.stderr).toBe(0);
  const text = readFileSync(file, 'utf8');
  expect(text).toContain('- /data');
  const applied = await cli.run(['apply', '-f', file]);
  expect(applied.code, applied.stderr).toBe(0);
  expect(applied.stdout).toContain(`environment/${name} created`);

  const next = text
    .slice(text.indexOf('# ---'))
    .replaceAll(/^# ?/gm, '')
    .replaceAll(/NEXT/gi, '2.0');
  writeFileSync(file, text + next);
  expect((await cli.run(['apply', '-f', file])).code).toBe(0);
  const upgraded = await cli.run(['upgrade', name, name, `${name}-2.0`, '--yes', '--bake', '0']);
  expect(upgraded.code, upgraded.stdout + upgraded.stderr).toBe(0);
  expect(upgraded.stdout).toContain('1.0 --> 2.0');
  // it runs: what it does first may yet be to come
  await expect.poll(() => docker('exec', name, 'cat', '/www/version')).toBe('2.0');
  expect(await docker('exec', name, 'cat', '/data/file')).toBe('precious');
  expect(await docker('exec', name, 'sh', '-c', 'echo $MINE')).toBe('1');

  const again = await cli.run(['adopt', url(), '--environment', name]);
  expect(again.code).not.toBe(0);
  expect(again.stderr).toContain(`there is an application ${name} already`);
  const second = await cli.run(['adopt', url(), '--environment', name, '--application', 'another']);
  expect(second.code, second.stderr).toBe(0);
  expect(second.stdout).toContain(`environment ${name} is stored already`);
  expect(second.stdout).toContain(`image: ${name}:2.0`);
});

it('what cannot be upgraded is refused by name, and nothing is written', async () => {
  await buildImage(environment(), `${name}:1.0`, httpService('1.0', await freePort()));
  await docker('run', '-d', '--rm', '--name', name, '--network', 'host', `${name}:1.0`);
  const file = join(folder, 'none.yaml');
  const refused = await cli.run(['adopt', url(), '-f', file]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('made with --rm');
  expect(() => readFileSync(file)).toThrow('ENOENT');
  const missing = await cli.run(['adopt', url().replace(name, 'nobody')]);
  expect(missing.stderr).toContain('there is no container nobody');
  const wrong = await cli.run(['adopt', 'web']);
  expect(wrong.stderr).toContain('docker://HOST/CONTAINER');
});
