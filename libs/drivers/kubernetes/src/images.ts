import type { ActionInput, ActionOutput } from '#contracts';
import type { LookUpLayers, StepContext } from '#drivers/core';
import { LiftlockError, someAtATime } from '#kernel';
import { ableNodes } from './able-nodes.js';
import { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import { ClusterLook } from './cluster-look.js';
import { statusOf } from './errors.js';
import { Followed, nextChange } from './followed.js';
import { digestIn } from './image-ids.js';
import { parseInstance } from './instance.js';
import { hashOf, marks } from './labels.js';
import { withRoomOnNodes } from './node-room.js';
import type { KubeNode, Pod, PodSpec } from './objects.js';
import { PodFailures } from './pod-failures.js';
import { troubleOf } from './pod-trouble.js';
import { RESOURCES } from './resources.js';

type Input = ActionInput<'image.prepare'>;
type Output = ActionOutput<'image.prepare'>;

/** Nodes that pull at the same time: a registry serves them all. */
const AT_A_TIME = 4;
/** So often it is looked even when nothing was told, in milliseconds. */
const LOOK_MS = 1_000;

/** A node that is to have the image, and as whom it pulls: secrets for a registry are of a namespace, or of a service account there. */
interface Pull {
  readonly node: KubeNode;
  readonly namespace: string;
  readonly spec: PodSpec;
}

/**
 * Has the nodes pull an image before anything is stopped: those that pods of these workloads may run on. A pod each, of a command that is in
 * no image, which goes as soon as the image is there.
 */
export async function prepareImage(
  cluster: Cluster,
  context: StepContext,
  input: Input,
  lookUp?: LookUpLayers,
): Promise<Output> {
  const image = input.image.digest ?? input.image.reference;
  const pulls = await withRoomOnNodes(
    { cluster, context, image, lookUp },
    () => pullsOf(cluster, context, input, image),
    (found, isThere) =>
      // one that cannot ends the step; what the others had begun is found again
      someAtATime(found, AT_A_TIME, async (pull) => {
        await pullOn(cluster, context, pull, image);
        isThere(pull);
      }),
  );
  return {
    imageId: digestIn(image) ?? image,
    found: pulls.length === 0 ? 'done_before' : 'done_now',
  };
}

async function pullsOf(
  cluster: Cluster,
  context: StepContext,
  { workloads = [] }: Input,
  image: string,
): Promise<Pull[]> {
  const look = new ClusterLook(cluster, context.signal);
  const nodes = await nodesOf(cluster, context);
  const pulls = new Map<string, Pull>();
  for (const text of workloads) {
    const instance = parseInstance(text);
    const spec = (await look.workload(instance))?.spec.template.spec;
    if (spec === undefined) continue;
    const able = ableNodes({ cluster, context }, instance, spec, nodes);
    for (const node of able)
      if (!has(node, image))
        pulls.set(node.metadata.name, { node, namespace: instance.namespace, spec });
  }
  return [...pulls.values()];
}

async function nodesOf(cluster: Cluster, context: StepContext): Promise<readonly KubeNode[]> {
  try {
    const all = await cluster.list<KubeNode>(RESOURCES.nodes, {}, context.signal);
    return all.filter(({ status }) =>
      status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'),
    );
  } catch (error) {
    if (statusOf(error) !== 403) throw error;
    context.log(
      `no image is pulled before the upgrade, since the nodes of ${cluster.name} may not be listed: bind liftlock-nodes of deploy/kubernetes/role.yaml`,
      'warn',
    );
    return [];
  }
}

/** A node tells the largest of its images only: one that is not among them is pulled once more, which costs a moment. */
function has({ status }: KubeNode, image: string): boolean {
  return (status?.images ?? []).some(({ names = [] }) => names.includes(image));
}

async function pullOn(
  cluster: Cluster,
  context: StepContext,
  { node, namespace, spec }: Pull,
  image: string,
): Promise<void> {
  const nodeName = node.metadata.name;
  const name = `liftlock-pull-${hashOf(context.upgrade, image, nodeName)}`;
  const changes = new Changes(cluster, context);
  context.log(`${nodeName} pulls ${image}`);
  await changes.create<Pod>(RESOURCES.pods, {
    metadata: { name, namespace, ...marks(context, 'pull') },
    spec: pullingPod(spec, nodeName, image, context.timeoutSeconds),
  });
  try {
    await untilPulled(cluster, context, { namespace, name });
  } finally {
    // one that is cut off is found by the next attempt, by its name
    if (!context.signal.aborted) await changes.remove(RESOURCES.pods, { namespace, name });
  }
}

function pullingPod(spec: PodSpec, nodeName: string, image: string, seconds: number): object {
  return {
    nodeName,
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 0,
    activeDeadlineSeconds: Math.ceil(seconds),
    tolerations: [{ operator: 'Exists' }],
    automountServiceAccountToken: false,
    ...(spec.serviceAccountName === undefined
      ? {}
      : { serviceAccountName: spec.serviceAccountName }),
    ...(spec.imagePullSecrets === undefined ? {} : { imagePullSecrets: spec.imagePullSecrets }),
    // what the strictest of the pod security standards asks for, since nothing of it runs anyway
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: 65_534 },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        ...{ name: 'pull', image, imagePullPolicy: 'IfNotPresent' },
        command: ['/liftlock/pulls/only'],
        resources: {
          requests: { cpu: '1m', memory: '4Mi' },
          limits: { cpu: '10m', memory: '16Mi' },
        },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  };
}

async function untilPulled(
  cluster: Cluster,
  { signal }: StepContext,
  at: { readonly namespace: string; readonly name: string },
): Promise<void> {
  const fields = `metadata.name=${at.name}`;
  const { namespace } = at;
  const pods = await Followed.begin<Pod>(cluster, RESOURCES.pods, { namespace, fields }, signal);
  const title = `the pulling of images in ${namespace}`;
  const failures = new PodFailures(cluster, { namespace, title });
  try {
    for (;;) {
      const [pod] = pods.all;
      if (pod === undefined)
        throw new LiftlockError(
          'target_refused',
          `the pod ${namespace}/${at.name} on ${cluster.name}, which pulls an image, was removed by somebody`,
          { retryable: true },
        );
      if (isPulled(pod)) return;
      // that its command is not there is how it should be
      if (troubleOf(pod)?.kind === 'pull') await failures.look([pod], signal);
      if (pod.status?.phase === 'Failed')
        throw new LiftlockError(
          'target_refused',
          `the node ${pod.spec.nodeName} of ${cluster.name} did not take the pod that pulls an image: ${pod.status.reason ?? ''} ${pod.status.message ?? ''}`,
          { retryable: true },
        );
      await nextChange([pods], LOOK_MS, signal);
    }
  } finally {
    pods.close();
  }
}

/** The container was made, or there was a try: the image is there by then. */
function isPulled({ status }: Pod): boolean {
  const [container] = status?.containerStatuses ?? [];
  if (container === undefined) return false;
  const { terminated, running, waiting } = container.state ?? {};
  return (
    terminated !== undefined ||
    running !== undefined ||
    /^(?:RunContainerError|CreateContainerError|CreateContainerConfigError|StartError|CrashLoopBackOff)$/.test(
      waiting?.reason ?? '',
    )
  );
}
