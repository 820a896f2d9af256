import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { WORKLOAD_KINDS, type WorkloadPlace } from '#contracts';
import { LiftlockError } from '#kernel';
import type { ClusterPlace } from './cluster-url.js';

const run = promisify(execFile);
/** A cluster that is away says so sooner. */
const ANSWER_MS = 60_000;

const listed = z.object({
  items: z.array(
    z.object({ kind: z.enum(WORKLOAD_KINDS), metadata: z.object({ name: z.string() }) }),
  ),
});
const configView = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: z.string() }) })]),
});

/** What of a namespace can be upgraded, by name: as the person's own kubeconfig lets them see it (KUBECONFIG, or ~/.kube/config). */
export async function listWorkloads({
  context,
  namespace,
}: ClusterPlace): Promise<readonly WorkloadPlace[]> {
  const kinds = WORKLOAD_KINDS.join(',').toLowerCase();
  const args = ['--context', context, '-n', namespace, 'get', kinds, '-o', 'json'];
  const { items } = listed.parse(await kubectl(args));
  return items.map(({ kind, metadata: { name } }) => ({ namespace, kind, name }));
}

/** Address of the API server that a context leads to. */
export async function serverOf(context: string): Promise<string> {
  const args = ['config', 'view', '--context', context, '--minify', '-o', 'json'];
  return configView.parse(await kubectl(args)).clusters[0].cluster.server;
}

async function kubectl(args: readonly string[]): Promise<unknown> {
  try {
    const { stdout } = await run('kubectl', args, { maxBuffer: 2 ** 28, timeout: ANSWER_MS });
    return JSON.parse(stdout);
  } catch (error) {
    const { code, stderr = '' } = error as { readonly code?: unknown; readonly stderr?: string };
    if (code === 'ENOENT')
      throw new LiftlockError(
        'misconfigured',
        'kubectl is needed to read your kubeconfig, and it is not on the PATH: install it',
        { cause: error },
      );
    throw new LiftlockError(
      'target_refused',
      `kubectl ${args.join(' ')} failed: ${stderr.trim() || String(error)}`,
      { cause: error },
    );
  }
}
