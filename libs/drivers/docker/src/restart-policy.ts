import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { orMissing, type ContainerInfo, type Engine } from './engine.js';
import { abortedBy, statusOf } from './errors.js';
import { LABELS, marks } from './labels.js';
import { removeRecordVolume, writeRecord } from './record-volume.js';

const restartPolicy = z.object({
  Name: z.string(),
  MaximumRetryCount: z.number().optional(),
});
export type RestartPolicy = z.infer<typeof restartPolicy>;

const NEVER: RestartPolicy = { Name: 'no', MaximumRetryCount: 0 };

/**
 * Keeps a container from being started by the engine itself. An engine that comes back (after a crash or a reboot of the
 * host) starts what has a restart policy, also a container that was stopped by hand: then old and new would run on the same
 * data. The policy that it had is written down before, and how long the stop that follows may take.
 * @returns that policy
 */
export async function holdBack(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  stopTimeoutSeconds?: number,
): Promise<RestartPolicy> {
  const present = policyOf(container);
  const name = markName(context, container.Id);
  const records = await recordsOf(engine, context, container.Id);
  let before = records.get(name);
  if (before === undefined) {
    // an earlier upgrade that was never taken back may have left its record, and the policy `no`
    const [left] = records.values();
    before = present.Name === 'no' && left !== undefined ? left : present;
    await writeRecord(engine, context, {
      name,
      labels: {
        ...marks(context, 'mark', container.Id),
        [LABELS.restartPolicy]: JSON.stringify(before),
        ...(stopTimeoutSeconds === undefined
          ? {}
          : { [LABELS.stopTimeout]: String(stopTimeoutSeconds) }),
      },
      what: 'writing down the restart policy',
    });
  }
  if (present.Name !== 'no') await setPolicy(engine, context, container, NEVER);
  return before;
}

/** Gives the container back the restart policy that it had before `holdBack`. */
export async function giveBack(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  replacements: readonly ContainerInfo[],
): Promise<boolean> {
  const wanted = await policyBefore(engine, context, container, replacements);
  const present = policyOf(container);
  if (
    wanted.Name === present.Name &&
    (wanted.MaximumRetryCount ?? 0) === (present.MaximumRetryCount ?? 0)
  )
    return false;
  await setPolicy(engine, context, container, wanted);
  return true;
}

/** Before a new container is taken away: it is never to start by itself again. */
export async function neverRestart(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
): Promise<void> {
  if (policyOf(container).Name !== 'no') await setPolicy(engine, context, container, NEVER, 'done');
}

/** The policy from before the stop: as recorded; else as a new container's label repeats it; else what it is now. */
export async function policyBefore(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  replacements: readonly ContainerInfo[],
): Promise<RestartPolicy> {
  const recorded = await recordedPolicy(engine, context, container.Id);
  if (recorded !== undefined) return recorded;
  const repeated = replacements
    .map((one) => parsePolicy(one.Config.Labels[LABELS.restartPolicy]))
    .find((policy) => policy !== undefined);
  return repeated ?? policyOf(container);
}

/** The record is of no use any more: the container is as it was before, or gone. */
export async function removeRecord(
  engine: Engine,
  context: StepContext,
  containerId: string,
): Promise<boolean> {
  const what = 'removing the record of the restart policy';
  return removeRecordVolume(engine, context, markName(context, containerId), what);
}

export interface HeldBack {
  /** When this upgrade began to, in milliseconds since 1970, cut to whole seconds: what it stops, it stops after that. */
  readonly sinceMs: number;
  /** That the stop may take, where the step says so. */
  readonly stopTimeoutSeconds: number | undefined;
}

/** What `holdBack` wrote down, if it did. */
export async function heldBack(
  engine: Engine,
  context: StepContext,
  containerId: string,
): Promise<HeldBack | undefined> {
  const record = await recordOf(engine, context, containerId);
  // a field of the API that the client's types leave out
  const { CreatedAt } = (record ?? {}) as { CreatedAt?: string };
  if (CreatedAt === undefined) return undefined;
  const seconds = Number(record?.Labels?.[LABELS.stopTimeout]);
  return {
    sinceMs: Date.parse(CreatedAt),
    stopTimeoutSeconds: Number.isFinite(seconds) ? seconds : undefined,
  };
}

async function recordedPolicy(
  engine: Engine,
  context: StepContext,
  containerId: string,
): Promise<RestartPolicy | undefined> {
  const record = await recordOf(engine, context, containerId);
  return parsePolicy(record?.Labels?.[LABELS.restartPolicy]);
}

function recordOf(engine: Engine, context: StepContext, containerId: string) {
  return orMissing(
    engine.call('reading the record of the restart policy', context.signal, (docker, options) =>
      docker.getVolume(markName(context, containerId)).inspect({ ...options }),
    ),
  );
}

/** What this upgrade and earlier ones wrote down, by the name of the record. */
async function recordsOf(
  engine: Engine,
  context: StepContext,
  containerId: string,
): Promise<ReadonlyMap<string, RestartPolicy>> {
  const { Volumes } = await engine.call(
    'looking for records of the restart policy',
    context.signal,
    (docker, options) =>
      docker.listVolumes({
        filters: { label: [`${LABELS.role}=mark`, `${LABELS.of}=${containerId}`] },
        ...options,
      }),
  );
  return new Map(
    (Volumes ?? []).flatMap(({ Name, Labels }) => {
      const policy = parsePolicy(Labels?.[LABELS.restartPolicy]);
      return policy === undefined ? [] : [[Name, policy] as const];
    }),
  );
}

function markName(context: StepContext, containerId: string): string {
  return `liftlock-mark-${context.upgrade}-${containerId.slice(0, 12)}`;
}

function policyOf(container: ContainerInfo): RestartPolicy {
  const policy = container.HostConfig.RestartPolicy;
  // the engine answers an empty name for what was made without one
  return { ...policy, Name: policy?.Name === undefined || policy.Name === '' ? 'no' : policy.Name };
}

function parsePolicy(text: string | undefined): RestartPolicy | undefined {
  if (text === undefined) return undefined;
  try {
    return restartPolicy.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // a label that someone else wrote
  }
}

/** @param marked what a container that is gone, or marked for removal, counts as: it can be changed no more, nor be started */
async function setPolicy(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  policy: RestartPolicy,
  marked: 'refused' | 'done' = 'refused',
): Promise<void> {
  await context.guard();
  const what = 'changing the restart policy';
  const until = performance.now() + ENDING_MS;
  for (;;) {
    try {
      await engine.call(what, context.signal, (docker, options) =>
        docker.getContainer(container.Id).update({ RestartPolicy: policy, ...options }),
      );
      return;
    } catch (error) {
      if (!isOfItsState(error)) throw error;
      const now = await engine.inspect(container.Id, context.signal);
      if (now === undefined || MARKED.has(now.State.Status)) {
        if (marked === 'done') return;
        throw error;
      }
      if (performance.now() >= until) throw error;
      await delay(AGAIN_MS, undefined, { signal: context.signal }).catch(() => {
        throw abortedBy(context.signal, what);
      });
    }
  }
}

/**
 * Whether a refusal may be due to what becomes of the container at this moment. The engine answers 500 to that, in the words of
 * whichever part of it was asked first; what is wrong with the policy itself is a 4xx.
 */
function isOfItsState(error: unknown): boolean {
  if (!(error instanceof LiftlockError) || error.code !== 'target_refused') return false;
  const status = statusOf(error) ?? 0;
  return status === 404 || status >= 500;
}

const MARKED: ReadonlySet<string> = new Set(['removing', 'dead']);
/** How long an engine may take to find out that a container has ended. */
const ENDING_MS = 10_000;
const AGAIN_MS = 100;
