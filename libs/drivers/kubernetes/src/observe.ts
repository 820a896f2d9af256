import { parseRecord, parseService, templateIn, type Observation } from '#contracts';
import type { ObserveQuery } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { broughtAs } from './brought.js';
import type { Cluster } from './cluster.js';
import { digestIn, runningImages } from './image-ids.js';
import { ClusterLook } from './cluster-look.js';
import { containerIn, parseInstance, type InstanceName } from './instance.js';
import { statusOf } from './errors.js';
import { mountsOf } from './mounts.js';
import type { KubeNode, PodContainer, Workload } from './objects.js';
import { observeManifests } from './object-apply.js';
import { isObserved, type OwnPod } from './own-pods.js';
import { ownerOf } from './owner.js';
import { isEnding, isReady } from './pod-state.js';
import { RESOURCES } from './resources.js';
import { oldPods, rolloutOf } from './rollout.js';
import { observeChain, observeService, observeTemplate } from './service-observe.js';
import { isStopped } from './scale.js';

type ObservedContainer = Observation['containers'][number];

export async function observe(
  cluster: Cluster,
  query: ObserveQuery,
  signal: AbortSignal,
): Promise<Observation> {
  const { gitVersion } = await cluster.json<{ gitVersion: string }>(
    'asking the API server for its version',
    { path: '/version' },
    signal,
  );
  const look = new ClusterLook(cluster, signal);
  return {
    target: query.target.name,
    engine: { name: 'kubernetes', version: gitVersion },
    ...(await nodesOf(cluster, signal)),
    containers: await Promise.all(
      query.containers.map((container) => observeContainer(cluster, look, container, signal)),
    ),
    ...(query.manifests === undefined
      ? {}
      : {
          manifests: await Promise.all(query.manifests.map((one) => observeManifests(one, signal))),
        }),
    ...(query.chains === undefined
      ? {}
      : {
          chains: await Promise.all(query.chains.map((one) => observeChain(cluster, one, signal))),
        }),
    images: await Promise.all(
      query.images.map(async ({ reference }) =>
        templateIn(reference) === undefined
          ? // nodes pull what they need: the registry alone can tell
            { reference, present: false, repoDigests: [] }
          : await observeTemplate(cluster, reference, query, signal),
      ),
    ),
  };
}

async function observeContainer(
  cluster: Cluster,
  look: ClusterLook,
  container: string,
  signal: AbortSignal,
): Promise<ObservedContainer> {
  const record = parseRecord(container);
  if (record !== undefined) return { ...absent(container), found: await look.isThere(record) };
  if (parseService(container) !== undefined) return observeService(cluster, container, signal);
  const instance = parseInstance(container);
  const found = await look.workload(instance);
  if (found === undefined) return absent(container);
  let template: PodContainer;
  try {
    template = containerIn(cluster, instance, found.spec.template);
  } catch (error) {
    return { ...absent(container), found: true, problems: [LiftlockError.from(error).message] };
  }
  const pods = await look.podsOf(instance, found);
  const current = pods.flatMap(({ pod }) => (isEnding(pod) ? [] : [pod]));
  const images = runningImages(current, template.name);
  const pinned = digestIn(template.image) === undefined ? [] : [template.image];
  const rollout = rolloutOf(instance, found, pods);
  const owner = ownerOf(found);
  const [imageId] = images.flatMap(({ id }) => id ?? []);
  const brought = broughtAs(found.spec.template, template.image);
  return {
    container,
    found: true,
    containerId: found.metadata.uid,
    ...(imageId === undefined ? {} : { imageId }),
    imageReference: template.image,
    ...(brought === undefined ? {} : { broughtAs: brought }),
    repoDigests: [...new Set([...pinned, ...images.flatMap(({ digest }) => digest ?? [])])],
    running: !isStopped({ instance }, found) && current.some(isReady),
    state: rollout.detail,
    replicas: rollout.wanted,
    health: rollout.wanted === 0 ? 'none' : rollout.isComplete ? 'healthy' : 'starting',
    ...(owner === undefined ? {} : { owner }),
    mounts: mountsOf(instance, found.spec.template, template),
    ports: [],
    problems: problemsOf(instance, found, pods),
    warnings: [],
  };
}

/** Nodes are of the whole cluster: whoever sees but a namespace cannot tell. */
async function nodesOf(
  cluster: Cluster,
  signal: AbortSignal,
): Promise<{ readonly nodes?: number }> {
  try {
    const nodes = await cluster.list<KubeNode>(RESOURCES.nodes, {}, signal);
    const ready = nodes.filter(
      ({ spec, status }) =>
        spec.unschedulable !== true &&
        status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'),
    );
    return { nodes: ready.length };
  } catch (error) {
    if (statusOf(error) === 403) return {};
    throw error;
  }
}

function absent(container: string): ObservedContainer {
  return {
    ...{ container, found: false, repoDigests: [], running: false, health: 'none' },
    ...{ mounts: [], ports: [], problems: [], warnings: [] },
  };
}

/** Why it cannot be upgraded as it is. */
function problemsOf(instance: InstanceName, workload: Workload, pods: readonly OwnPod[]): string[] {
  const { spec, metadata } = workload;
  const problems: string[] = [];
  if (spec.paused === true)
    problems.push(
      `its rollouts are paused: kubectl rollout resume ${instance.kind}/${instance.name} -n ${instance.namespace}`,
    );
  if (metadata.deletionTimestamp !== undefined) problems.push('it is being deleted');
  // one whose pods are merely not ready stands still: what keeps it so may be what the upgrade mends
  if (isObserved(workload) && oldPods(pods).length === 0) return problems;
  const { detail } = rolloutOf(instance, workload, pods);
  problems.push(
    isStopped({ instance }, workload)
      ? 'it is being stopped: wait until its pods have ended'
      : `a rollout of it is under way (${detail}): wait until it has ended, or take it back with kubectl rollout undo`,
  );
  return problems;
}
