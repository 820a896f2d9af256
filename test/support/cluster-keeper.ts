import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startPrivateEngine } from '#fleet';
import { busyboxRoot } from '../../examples/guestbook/index.js';
import { separateLogs } from './kubelet-logs.js';
import { startRegistryServer } from './registry.js';

/** What holds a pod's network ends on SIGTERM: else each pod would take ten seconds longer to end. */
const PAUSE = `#!/bin/sh
trap 'exit 0' TERM INT
sleep 2147483647 & wait $!
`;

/** A cluster of a test run: two nodes, where it is started for the run. Plain data: it crosses processes. */
export interface TestClusterPlace {
  /** Path of a kubeconfig whose user may do everything: to make things, and to see what truly happened. */
  readonly kubeconfig: string;
  /** `127.0.0.1:<port>` of a registry that the nodes pull from. */
  readonly registry: string;
}

interface StartedCluster extends TestClusterPlace {
  stop(): Promise<void>;
}

export interface ClusterKeeper {
  stop(): Promise<void>;
}

const run = promisify(execFile);
const TOOLS = fileURLToPath(new URL('../../../shared/tools/', import.meta.url));
const ROLE = fileURLToPath(new URL('../../deploy/kubernetes/role.yaml', import.meta.url));

/**
 * Lives in the main process of a test run and gives its cluster when the first test file asks on this Unix socket: that of KUBECONFIG where it
 * is set, else one that is started for the run.
 */
export async function keepCluster(socket: string, folder: string): Promise<ClusterKeeper> {
  let cluster: Promise<StartedCluster> | undefined;
  const server = createServer((_request, response) => {
    const asked = (cluster ??= startCluster(folder));
    asked.then(
      ({ kubeconfig, registry }) => response.end(JSON.stringify({ kubeconfig, registry })),
      (error: unknown) => {
        if (cluster === asked) cluster = undefined;
        response.writeHead(500).end(error instanceof Error ? error.message : String(error));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  server.unref();
  return {
    async stop() {
      server.close();
      const started = await cluster?.catch(() => undefined);
      await started?.stop();
    },
  };
}

async function startCluster(folder: string): Promise<StartedCluster> {
  const own = process.env['KUBECONFIG'];
  const cluster = own === undefined || own === '' ? await startOwn(folder) : undefined;
  try {
    const kubeconfig = cluster?.kubeconfig ?? own ?? '';
    await run('kubectl', ['--kubeconfig', kubeconfig, 'apply', '-f', ROLE]);
    const registry = await startRegistryServer();
    const stop = async (): Promise<void> => {
      await cluster?.stop();
      await registry.stop();
    };
    return { kubeconfig, registry: registry.host, stop };
  } catch (error) {
    await cluster?.stop();
    throw error;
  }
}

async function givePause(engine: string): Promise<void> {
  const change = 'ENTRYPOINT ["/start.sh"]';
  const args = ['--host', engine, 'import', '--change', change, '-', 'k8s.gcr.io/pause:3.2'];
  const importing = run('docker', args);
  importing.child.stdin?.end(await busyboxRoot(PAUSE));
  await importing;
}

async function startOwn(
  folder: string,
): Promise<{ readonly kubeconfig: string; stop(): Promise<void> }> {
  const up = join(TOOLS, 'kube-up');
  if (!existsSync(up))
    throw new Error(
      `tests of Kubernetes need a cluster: set KUBECONFIG to one whose nodes run on this machine, or have ${up} start one`,
    );
  const engine = await startPrivateEngine({ folder: `${folder}-engine`, tied: true });
  mkdirSync(folder, { recursive: true });
  const down = join(TOOLS, 'kube-down');
  const logs = await separateLogs(folder);
  const env = { ...process.env, PATH: logs.path, DOCKER_HOST: engine.host };
  // what it starts is nobody's child: a run that is killed takes it along all the same
  const script = `while kill -0 ${process.pid} 2>/dev/null; do sleep 1; done; exec "$0" "$1"`;
  const watch = spawn('sh', ['-c', script, down, folder], { env, detached: true, stdio: 'ignore' });
  watch.unref();
  const stop = async (): Promise<void> => {
    await run(down, [folder], { env });
    await logs.remove();
    await engine.remove();
    watch.kill();
  };
  try {
    await givePause(engine.host);
    const { stdout } = await run(up, ['--nodes', '2', folder], { env, maxBuffer: 2 ** 24 });
    await givePause(`unix://${join(folder, 'node-2/docker/docker.sock')}`);
    return { kubeconfig: stdout.trim().split('\n').at(-1) ?? '', stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
