import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPrivateEngine } from '#fleet';
import { busyboxRoot } from '../../examples/guestbook/index.js';
import { applyRole, kubeUp, type RunningCluster } from './kube-up.js';
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

export interface StartedCluster extends TestClusterPlace {
  stop(): Promise<void>;
}

export interface ClusterKeeper {
  stop(): Promise<void>;
}

const run = promisify(execFile);
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

/** That of KUBECONFIG where it is set, else one of two nodes that ends with this process. */
export async function startCluster(folder: string): Promise<StartedCluster> {
  const own = process.env['KUBECONFIG'];
  const cluster = own === undefined || own === '' ? await startOwn(folder) : undefined;
  try {
    const kubeconfig = cluster?.kubeconfig ?? own ?? '';
    await applyRole(kubeconfig);
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

async function startOwn(folder: string): Promise<RunningCluster> {
  const engine = await startPrivateEngine({ folder: `${folder}-engine`, tied: true });
  mkdirSync(folder, { recursive: true });
  const logs = await separateLogs(folder);
  let cluster: RunningCluster | undefined;
  const stop = async (): Promise<void> => {
    await cluster?.stop();
    await logs.remove();
    await engine.remove();
  };
  try {
    await givePause(engine.host);
    cluster = await kubeUp(['--nodes', '2'], folder, {
      ...{ PATH: logs.path, DOCKER_HOST: engine.host },
    });
    await givePause(`unix://${join(folder, 'node-2/docker/docker.sock')}`);
    return { kubeconfig: cluster.kubeconfig, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
