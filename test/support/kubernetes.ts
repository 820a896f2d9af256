import { inject } from 'vitest';
import { askKeeper } from './ask-keeper.js';
import type { TestClusterPlace } from './cluster-keeper.js';
import './servers.setup.js';
import { openCluster, type TestCluster } from './test-cluster.js';

export type { KubeJson, TestCluster } from './test-cluster.js';

/** The first cluster of a machine is built from source. */
const START_MS = 900_000;

/**
 * The cluster of this test run, and a namespace of one test file's own in it.
 * @param nodes whether the account may also cordon and drain nodes; default false
 */
export async function startKubernetes(nodes = false): Promise<TestCluster> {
  const { clusterSocket } = inject('servers');
  return openCluster(
    await askKeeper<TestClusterPlace>(clusterSocket, 'the cluster', START_MS),
    nodes,
  );
}
