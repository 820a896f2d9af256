import { setTimeout as delay } from 'node:timers/promises';
import type { StepContext } from '#drivers/core';
import { LiftlockError, waitFor } from '#kernel';
import { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import type { ClaimPlaces } from './data-places.js';
import { parseInstance } from './instance.js';
import { hashOf, LABELS, marks } from './labels.js';
import type { Pod, PodSpec, PodTemplate } from './objects.js';
import { hasEnded, isEnding, runs } from './pod-state.js';
import { troubleOf, type Trouble } from './pod-trouble.js';
import { RESOURCES } from './resources.js';

export const HELPER = 'helper';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** So often it is looked at one that is not there yet, in milliseconds. */
const LOOK_MS = 250;
/** For so long the API server may take to note that one is to go, in milliseconds. */
const REMOVE_MS = 60_000;
/** For so long a node is looked for, in milliseconds. */
const SCHEDULE_MS = 45_000;
/** For so long the end of one is waited for, in milliseconds: a node that is away ends nothing. */
const END_MS = 120_000;

export interface HelperPlace {
  /** As `workloadText` writes it. */
  readonly container: string;
  readonly template: PodTemplate;
  readonly places: ClaimPlaces;
  /** Where a pod of the instance runs, which a claim may be bound to for that time. */
  readonly node?: string | undefined;
  readonly image: string;
}

/** Starts a pod that has the data where the instance's container has it, and does nothing by itself. @throws LiftlockError saying why it does not run */
export async function startHelper(
  cluster: Cluster,
  context: StepContext,
  place: HelperPlace,
): Promise<Pod> {
  const instance = parseInstance(place.container);
  await removeLeftovers(cluster, context, place.container);
  const name = `liftlock-helper-${hashOf(context.stepId, String(process.hrtime.bigint()))}`;
  const { namespace } = instance;
  const { labels, annotations } = marks(context, 'helper', place.container);
  const changes = new Changes(cluster, context);
  const made = await changes.create<Pod>(RESOURCES.pods, {
    metadata: {
      ...{ name, namespace, annotations },
      labels: { ...labels, [LABELS.token]: String(context.token) },
    },
    spec: specOf(context, place),
  });
  if (made === undefined) throw new LiftlockError('internal', `there is a pod ${name} already`);
  try {
    return await untilRuns(cluster, context, made, place.image);
  } catch (error) {
    await removeHelper(cluster, context, made).catch(() => undefined);
    throw error;
  }
}

/** Asked for, not waited for: also where the attempt has ended, since it is its own. */
export async function removeHelper(
  cluster: Cluster,
  context: StepContext,
  { metadata }: Pod,
): Promise<void> {
  const late = {
    ...context,
    guard: async () => undefined,
    signal: AbortSignal.timeout(REMOVE_MS),
  };
  await new Changes(cluster, late).remove(RESOURCES.pods, metadata);
}

/** Removes what earlier attempts left, and waits until it has ended: two must never work on the same data. */
export async function removeLeftovers(
  cluster: Cluster,
  context: StepContext,
  container: string,
): Promise<void> {
  const { namespace } = parseInstance(container);
  const labels = [
    `${LABELS.role}=helper`,
    `${LABELS.upgrade}=${context.upgrade}`,
    `${LABELS.instance}=${hashOf(container)}`,
  ].join(',');
  const changes = new Changes(cluster, context);
  await waitFor(
    async () => {
      const all = await cluster.list<Pod>(RESOURCES.pods, { namespace, labels }, context.signal);
      const left = all.filter((pod) => !isHelperOf(context, pod) && !hasEnded(pod));
      for (const pod of left)
        if (!isEnding(pod)) await changes.remove(RESOURCES.pods, pod.metadata);
      return left.length === 0;
    },
    {
      what: `the end of the helper pods of ${container} that an earlier attempt left`,
      ...{ deadlineMs: END_MS, everyMs: LOOK_MS, signal: context.signal },
    },
  );
}

/** Whether it is one of this very attempt. */
export function isHelperOf({ upgrade, stepId, token }: StepContext, { metadata }: Pod): boolean {
  const { labels = {} } = metadata;
  return (
    labels[LABELS.role] === 'helper' &&
    labels[LABELS.upgrade] === upgrade &&
    labels[LABELS.step] === hashOf(stepId) &&
    labels[LABELS.token] === String(token)
  );
}

/** As the instance's pods where it is about where they run; nothing of theirs runs in it. */
function specOf(context: StepContext, { template, places, node, image }: HelperPlace): object {
  const { spec } = template;
  const kept: ReadonlyArray<keyof PodSpec> = [
    ...['imagePullSecrets', 'nodeSelector', 'tolerations', 'affinity', 'runtimeClassName'],
  ];
  const seconds = Math.ceil(context.timeoutSeconds);
  return {
    ...Object.fromEntries(
      kept.flatMap((field) => (spec[field] === undefined ? [] : [[field, spec[field]]])),
    ),
    ...(node === undefined ? {} : { nodeName: node }),
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 1,
    // also when we are not there any more to remove it
    activeDeadlineSeconds: seconds,
    volumes: places.volumes,
    containers: [
      {
        name: HELPER,
        image,
        imagePullPolicy: 'IfNotPresent',
        command: ['sleep', String(seconds)],
        env: [
          { name: 'LC_ALL', value: 'C' },
          { name: 'PATH', value: PATH },
        ],
        workingDir: '/',
        // owners and modes are put back by root alone
        securityContext: { runAsUser: 0, runAsGroup: 0, readOnlyRootFilesystem: true },
        volumeMounts: places.volumeMounts,
      },
    ],
  };
}

async function untilRuns(
  cluster: Cluster,
  context: StepContext,
  { metadata }: Pod,
  image: string,
): Promise<Pod> {
  const { namespace = '', name } = metadata;
  let since: { readonly trouble: Trouble; readonly at: number } | undefined;
  for (;;) {
    const pod = await cluster.get<Pod>(RESOURCES.pods, { namespace, name }, context.signal);
    if (pod !== undefined && runs(pod, HELPER)) return pod;
    if (pod === undefined || isEnding(pod) || hasEnded(pod))
      throw new LiftlockError(
        'target_unreachable',
        `the helper pod ${name} in ${namespace} on ${cluster.name} was ended before it ran: ${pod?.status?.message ?? 'it was removed'}`,
      );
    const trouble = troubleOf(pod);
    if (trouble === undefined || trouble.reason !== since?.trouble.reason)
      since = trouble === undefined ? undefined : { trouble, at: performance.now() };
    if (since !== undefined && performance.now() - since.at >= graceOf(since.trouble))
      throw notRunning(cluster, pod, since.trouble, image);
    await delay(LOOK_MS);
    context.signal.throwIfAborted();
  }
}

/** A claim may be bound only now, and let go of by the node that had it. */
function graceOf({ kind, graceMs }: Trouble): number {
  return kind === 'schedule' ? SCHEDULE_MS : graceMs;
}

function notRunning(
  cluster: Cluster,
  { metadata }: Pod,
  { kind, reason, message }: Trouble,
  image: string,
): LiftlockError {
  const wayOut =
    kind === 'schedule'
      ? 'see the claims that it mounts, and where their nodes have room'
      : `see the image ${image}, which LIFTLOCK_HELPER_IMAGE of the backup service names`;
  return new LiftlockError(
    kind === 'pull' ? 'image_missing' : 'target_refused',
    `the helper pod ${metadata.name} in ${metadata.namespace ?? ''} on ${cluster.name} does not run: ${reason}: ${message}; ${wayOut}; nothing was touched`,
    { retryable: kind === 'schedule' },
  );
}
