import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { ComposeService } from './compose-project.js';

const run = promisify(execFile);
/** The planner waits for all that is observed on a target; a file that takes so long is none to wait for. */
const DEADLINE_MS = 10_000;

/** A hash, or in words why there is none. */
export type ComposeHash = { readonly hash: string } | { readonly because: string };

/**
 * The hash by which `docker compose up` decides whether a container is as its file says, for the file as it is but with this
 * image: asked of Compose itself, since it is a hash over all that Compose makes of the file, and of each version otherwise.
 * That needs the file and Compose here, on the engine's own machine.
 */
export async function composeHash(
  service: ComposeService,
  image: string,
  endpoint: string,
  signal: AbortSignal,
): Promise<ComposeHash> {
  if (!endpoint.startsWith('unix://'))
    return { because: 'its compose file is on another machine than the executor' };
  const [first] = service.files;
  if (first === undefined) return { because: 'its labels name no compose file' };
  for (const file of [...service.files, ...service.environmentFiles]) {
    try {
      await access(file, constants.R_OK);
    } catch {
      return { because: `the executor cannot read ${file}` };
    }
  }
  const program = await programOf(service.version, signal);
  if (program === undefined)
    return { because: `the executor has no Compose of version ${family(service.version)}` };
  const folder = await mkdtemp(join(tmpdir(), 'liftlock-compose-'));
  try {
    const override = join(folder, 'image.yml');
    await writeFile(override, overrideOf(service.service, image, await readFile(first, 'utf8')));
    const [file = '', ...before] = program;
    const args = [
      ...before,
      ...['--project-name', service.project],
      ...['--project-directory', service.workingFolder ?? dirname(first)],
      ...service.environmentFiles.flatMap((path) => ['--env-file', path]),
      ...[...service.files, override].flatMap((path) => ['--file', path]),
      // version 1 takes it with `=` only
      ...['config', `--hash=${service.service}`],
    ];
    const { stdout } = await run(file, args, {
      cwd: service.workingFolder ?? dirname(first),
      env: environment(endpoint),
      timeout: DEADLINE_MS,
      signal,
    });
    const hash = hashIn(stdout, service.service);
    return hash === undefined ? { because: 'Compose answers no hash' } : { hash };
  } catch (error) {
    signal.throwIfAborted();
    return { because: failure(error) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of lines `service hash`. */
function hashIn(answer: string, service: string): string | undefined {
  const lines = answer.split('\n').map((line) => line.trim().split(' '));
  const hash = lines.find(([name]) => name === service)?.[1];
  return hash !== undefined && /^[0-9a-f]{64}$/.test(hash) ? hash : undefined;
}

/** Merged over the file, it gives what the file with this image would give. */
function overrideOf(service: string, image: string, file: string): string {
  // version 1 wants the same version of all files
  const version = /^version:.*$/m.exec(file)?.[0];
  return [
    ...(version === undefined ? [] : [version]),
    'services:',
    `  ${JSON.stringify(service)}:`,
    `    image: ${JSON.stringify(image.replaceAll('$', '$$$$'))}`,
    '',
  ].join('\n');
}

const programs = new Map<string, readonly string[]>();

/** The Compose of the family that made the container: version 1 hashes otherwise than all since. */
async function programOf(
  version: string | undefined,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const wanted = family(version);
  const known = programs.get(wanted);
  if (known !== undefined) return known;
  for (const program of [['docker-compose'], ['docker', 'compose']]) {
    const [file = '', ...args] = program;
    try {
      const { stdout } = await run(file, [...args, 'version', '--short'], {
        env: environment(undefined),
        timeout: DEADLINE_MS,
        signal,
      });
      if (family(stdout.trim().replace(/^v/, '')) === wanted) {
        programs.set(wanted, program);
        return program;
      }
    } catch {
      signal.throwIfAborted();
    }
  }
  return undefined;
}

function family(version: string | undefined): '1' | '2 or later' {
  return version?.startsWith('1.') === true ? '1' : '2 or later';
}

/** Nothing of ours: nobody's compose file is to read the executor's secrets. */
function environment(endpoint: string | undefined): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: homedir(),
    ...(endpoint === undefined ? {} : { DOCKER_HOST: endpoint }),
  };
}

function failure(error: unknown): string {
  if (error instanceof Error && 'killed' in error && error.killed === true)
    return `Compose did not answer within ${DEADLINE_MS / 1000} s`;
  const text =
    error instanceof Error && 'stderr' in error && typeof error.stderr === 'string'
      ? error.stderr
      : String(error);
  return `Compose says: ${text.trim().split('\n').at(-1)?.slice(0, 200) ?? ''}`;
}
