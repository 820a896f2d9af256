import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs Compose as a person does, in a project's folder; gives all that it says. */
export async function runCompose(
  folder: string,
  endpoint: string,
  args: readonly string[],
): Promise<string> {
  const env = { ...process.env, DOCKER_HOST: endpoint };
  const { stdout, stderr } = await run(await composeProgram(), args, { cwd: folder, env });
  return stdout + stderr;
}

let ready: Promise<string> | undefined;
function composeProgram(): Promise<string> {
  ready ??= findOrInstall();
  return ready;
}

/** Debian's docker-compose, installed where it is missing, as the Docker Engine is. */
async function findOrInstall(): Promise<string> {
  const program = 'docker-compose';
  const there = await run(program, ['version', '--short']).then(
    () => true,
    () => false,
  );
  if (!there) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const apt = (...args: string[]): Promise<unknown> =>
      run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], { env });
    await apt('update');
    await apt('install', '-y', '--no-install-recommends', program);
  }
  return program;
}
