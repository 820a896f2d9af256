import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootFolder } from '#fleet';

export interface RunningCluster {
  /** Path of one whose user may do everything. */
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

const run = promisify(execFile);

/**
 * A cluster of its own on the loopback, which ends with this process, however that ends.
 * @param options of `kube-up`: `--api-only`, or `--nodes N`
 * @param folder for all of it; made where it is not there
 * @param variables beside our own: `DOCKER_HOST`, the engine that the first node's pods run on
 */
export async function kubeUp(
  options: readonly string[],
  folder: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<RunningCluster> {
  const tools = join(rootFolder(), '..', 'shared', 'tools');
  const [up, down] = [join(tools, 'kube-up'), join(tools, 'kube-down')];
  if (!existsSync(up))
    throw new Error(
      `tests of Kubernetes need a cluster: set KUBECONFIG to one whose nodes run on this machine, or have ${up} start one`,
    );
  mkdirSync(folder, { recursive: true });
  const env = { ...process.env, ...variables };
  // what it starts is nobody's child: a run that is killed takes it along all the same
  const script = `while kill -0 ${process.pid} 2>/dev/null; do sleep 1; done; exec "$0" "$1"`;
  const watch = spawn('sh', ['-c', script, down, folder], { env, detached: true, stdio: 'ignore' });
  watch.unref();
  const stop = async (): Promise<void> => {
    await run(down, [folder], { env });
    watch.kill();
  };
  try {
    const { stdout } = await run(up, [...options, folder], { env, maxBuffer: 2 ** 24 });
    return { kubeconfig: stdout.trim().split('\n').at(-1) ?? '', stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Our own roles, which accounts of tests are bound to. */
export async function applyRole(kubeconfig: string): Promise<void> {
  const role = join(rootFolder(), 'deploy', 'kubernetes', 'role.yaml');
  await run('kubectl', ['--kubeconfig', kubeconfig, 'apply', '-f', role]);
}
