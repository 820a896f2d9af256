import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError, waitFor } from '#kernel';
import { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import { Followed, nextChange } from './followed.js';
import { hookInstance, keepWords, type HookInstance } from './hook-instance.js';
import { parseInstance } from './instance.js';
import { hashOf, LABELS, marks } from './labels.js';
import { PodFailures } from './pod-failures.js';
import { lastLines } from './pod-log.js';
import type { Job, KubeObject, Pod, PodSpec } from './objects.js';
import { RESOURCES } from './resources.js';

type Input = ActionInput<'hook.job'>;
type Output = ActionOutput<'hook.job'>;

const CONTAINER = 'job';
/** So often it is looked even when nothing was told, in milliseconds. */
const LOOK_MS = 1_000;

/**
 * Runs a Job to its end. One that an earlier attempt made is waited for, or its end is taken: it runs once, unless it failed. It stays until a
 * step removes it, so that nobody who asks again makes a second one.
 */
export async function runJob(
  cluster: Cluster,
  context: StepContext,
  input: Input,
): Promise<Output> {
  const { namespace } = parseInstance(input.container);
  const at = { namespace, name: `liftlock-job-${hashOf(context.upgrade, context.stepId)}` };
  const changes = new Changes(cluster, context);
  const before = await cluster.get<Job>(RESOURCES.jobs, at, context.signal);
  if (before?.metadata.deletionTimestamp !== undefined) await untilGone(cluster, context, at);
  const known = before?.metadata.deletionTimestamp === undefined ? before : undefined;
  const ended = known !== undefined && outcomeOf(known) !== undefined;
  const job = known ?? (await create(cluster, context, changes, at, input));
  const { outcome, said } = await endOf(cluster, context, job).catch(async (error: unknown) => {
    // what cannot run is not left behind: the next attempt makes another one
    if (!context.signal.aborted && LiftlockError.from(error).code !== 'target_unreachable')
      await beginRemoval(cluster, context, changes, at);
    throw error;
  });
  if (outcome === 'complete')
    return { found: ended ? 'done_before' : 'done_now', exitCode: 0, said };
  const last = said.at(-1);
  await beginRemoval(cluster, context, changes, at);
  throw new LiftlockError(
    'hook_failed',
    `the job ${at.name} in ${namespace} on ${cluster.name} failed: ${outcome}` +
      (last === undefined ? ', and said nothing' : `; it last said: ${last}`),
    { details: { container: input.container, said } },
  );
}

/** Whatever the hooks of these steps left, running or not. */
export async function removeJobs(
  cluster: Cluster,
  context: StepContext,
  { container, steps }: ActionInput<'hook.remove-jobs'>,
): Promise<ActionOutput<'hook.remove-jobs'>> {
  const { namespace } = parseInstance(container);
  const changes = new Changes(cluster, context);
  let found = false;
  for (const step of steps) {
    const name = `liftlock-job-${hashOf(context.upgrade, step)}`;
    const at = { namespace, name };
    if (await beginRemoval(cluster, context, changes, at)) found = true;
    await untilGone(cluster, context, at);
  }
  return { found: found ? 'done_now' : 'nothing_to_do', said: [] };
}

interface Place {
  readonly namespace: string;
  readonly name: string;
}

async function create(
  cluster: Cluster,
  context: StepContext,
  changes: Changes,
  at: Place,
  input: Input,
): Promise<Job> {
  const source = await hookInstance(cluster, context, input);
  const { labels, annotations } = marks(context, 'job', input.container);
  const metadata = { ...at, labels, annotations };
  const hasEnv = Object.keys(input.work.env).length > 0;
  // its variables, which may be secrets, stand beside it: whoever may read Jobs need not read them
  if (hasEnv) await keepEnvironment(cluster, context, changes, { ...metadata }, input.work.env);
  context.log(`starting the job ${at.name} from ${imageOf(input)}`);
  const spec = {
    backoffLimit: 0,
    activeDeadlineSeconds: Math.ceil(context.timeoutSeconds),
    template: {
      metadata: { labels },
      spec: podOf(source, input, hasEnv ? at.name : undefined),
    },
  };
  const made = await changes.create<Job>(RESOURCES.jobs, { metadata, spec });
  const job = made ?? (await cluster.get<Job>(RESOURCES.jobs, at, context.signal));
  if (job === undefined)
    throw new LiftlockError(
      'target_unreachable',
      `the job ${at.name} is gone from ${cluster.name}`,
    );
  if (hasEnv) await giveToJob(cluster, context, changes, at, job);
  return job;
}

async function keepEnvironment(
  cluster: Cluster,
  context: StepContext,
  changes: Changes,
  metadata: Place & { readonly labels: object; readonly annotations: object },
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const made = await changes.create(RESOURCES.secrets, {
    metadata: { ...metadata },
    stringData: env,
  });
  if (made !== undefined) return;
  // of an attempt before, whose variables may have been others
  const there = await cluster.get<KubeObject>(RESOURCES.secrets, metadata, context.signal);
  if (there === undefined) return keepEnvironment(cluster, context, changes, metadata, env);
  await changes.replace(RESOURCES.secrets, { ...there, data: undefined, stringData: env });
}

/** It goes with its Job. */
async function giveToJob(
  cluster: Cluster,
  context: StepContext,
  changes: Changes,
  at: Place,
  { metadata: { uid } }: Job,
): Promise<void> {
  const secret = await cluster.get<KubeObject>(RESOURCES.secrets, at, context.signal);
  if (secret === undefined) return;
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: at.name, uid };
  await changes.replace(RESOURCES.secrets, {
    ...secret,
    metadata: { ...secret.metadata, ownerReferences: [owner] },
  });
}

function imageOf({ image }: Input): string {
  return image.digest ?? image.reference;
}

/** As the instance's pods where it is about where and as whom they run. */
function podOf({ workload, container }: HookInstance, input: Input, secret?: string): object {
  const { work } = input;
  const { spec } = workload.spec.template;
  const kept: ReadonlyArray<keyof PodSpec> = [
    ...['serviceAccountName', 'imagePullSecrets', 'nodeSelector', 'tolerations', 'hostNetwork'],
    ...['dnsPolicy', 'dnsConfig', 'hostAliases', 'priorityClassName', 'runtimeClassName'],
  ];
  const { fsGroup } = (spec['securityContext'] ?? {}) as { fsGroup?: number };
  return {
    ...Object.fromEntries(
      kept.flatMap((field) => (spec[field] === undefined ? [] : [[field, spec[field]]])),
    ),
    ...networkOf(work.network),
    restartPolicy: 'Never',
    ...(fsGroup === undefined || !work.volumesFrom ? {} : { securityContext: { fsGroup } }),
    ...(work.volumesFrom ? { volumes: spec.volumes ?? [] } : {}),
    containers: [
      {
        name: CONTAINER,
        image: imageOf(input),
        ...(work.entrypoint === undefined ? {} : { command: work.entrypoint }),
        ...(work.command === undefined ? {} : { args: work.command }),
        ...(secret === undefined ? {} : { envFrom: [{ secretRef: { name: secret } }] }),
        ...(work.volumesFrom ? { volumeMounts: container.volumeMounts ?? [] } : {}),
        ...(work.user === undefined ? {} : { securityContext: userOf(work.user) }),
      },
    ],
  };
}

function networkOf(network: string | undefined): object {
  if (network === undefined) return {};
  if (network === 'host') return { hostNetwork: true };
  throw new LiftlockError(
    'invalid_step',
    `a job on a cluster has the network of pods, or host: ${network} is neither; leave network out`,
  );
}

/** As Kubernetes knows users: by number alone. */
function userOf(user: string): object {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(user) ?? [];
  if (uid === undefined)
    throw new LiftlockError(
      'invalid_step',
      `the user of a job on a cluster must be a number, and may have one of its group (1001:1001): ${user} is none`,
    );
  return { runAsUser: Number(uid), ...(gid === undefined ? {} : { runAsGroup: Number(gid) }) };
}

/** `complete`, or why it failed; undefined: it has not ended. */
function outcomeOf({ status }: Job): string | undefined {
  const ended = status?.conditions?.find(
    ({ type, status: is }) => (type === 'Complete' || type === 'Failed') && is === 'True',
  );
  if (ended === undefined) return undefined;
  return ended.type === 'Complete' ? 'complete' : (ended.message ?? ended.reason ?? 'it failed');
}

async function endOf(
  cluster: Cluster,
  context: StepContext,
  job: Job,
): Promise<{ readonly outcome: string; readonly said: string[] }> {
  const { namespace, name } = job.metadata;
  const { signal } = context;
  const selection = { namespace, fields: `metadata.name=${name}` };
  const jobs = await Followed.begin<Job>(cluster, RESOURCES.jobs, selection, signal);
  const pods = await Followed.begin<Pod>(
    cluster,
    RESOURCES.pods,
    { namespace, labels: `job-name=${name}` },
    signal,
  );
  const failures = new PodFailures(cluster, {
    namespace: namespace ?? '',
    title: `Job ${namespace}/${name}`,
  });
  try {
    for (;;) {
      const now = jobs.all.find(({ metadata }) => metadata.uid === job.metadata.uid);
      if (now === undefined)
        throw new LiftlockError(
          'hook_failed',
          `the job ${name} in ${namespace} on ${cluster.name} was removed while it ran`,
        );
      const outcome = outcomeOf(now);
      const [pod] = pods.all.toSorted((one, other) =>
        (one.metadata.creationTimestamp ?? '') < (other.metadata.creationTimestamp ?? '') ? 1 : -1,
      );
      if (outcome !== undefined) {
        const lines = pod === undefined ? [] : await lastLines(cluster, pod, CONTAINER, signal);
        const exitCode = pod?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode;
        const why =
          outcome !== 'complete' && exitCode ? `it ended with exit code ${exitCode}` : outcome;
        return { outcome: why, said: keepWords(context, lines) };
      }
      if (pod !== undefined) await failures.look([pod], signal);
      await nextChange([jobs, pods], LOOK_MS, signal);
    }
  } finally {
    jobs.close();
    pods.close();
  }
}

/** With its pods: it is gone when they are. @returns whether it was there */
async function beginRemoval(
  cluster: Cluster,
  context: StepContext,
  changes: Changes,
  at: Place,
): Promise<boolean> {
  const there = await changes.remove(RESOURCES.jobs, at, 'foreground');
  // of an attempt that ended before it had made the Job
  const secret = await cluster.get<KubeObject>(RESOURCES.secrets, at, context.signal);
  const isOurs = secret?.metadata.labels?.[LABELS.upgrade] === context.upgrade;
  if (isOurs) await changes.remove(RESOURCES.secrets, at);
  return there || isOurs;
}

/** Nothing of it runs any more then. */
async function untilGone(
  cluster: Cluster,
  { signal, timeoutSeconds }: StepContext,
  at: Place,
): Promise<void> {
  await waitFor(async () => (await cluster.get(RESOURCES.jobs, at, signal)) === undefined, {
    what: `the job ${at.name} in ${at.namespace} on ${cluster.name} is gone`,
    ...{ deadlineMs: timeoutSeconds * 1000, everyMs: 250, signal },
  });
}
