import type { ErrorCode } from '#kernel';
import type { ContainerStatus, Pod } from './objects.js';

/** What keeps a pod from running. */
export interface Trouble {
  readonly kind: 'pull' | 'crash' | 'create' | 'schedule';
  /** The kubelet's or the scheduler's own word for it. */
  readonly reason: string;
  readonly message: string;
  readonly code: ErrorCode;
  /** Of the pod; not there where it is about the pod as a whole. */
  readonly container?: string | undefined;
  /** It counts as final when it has been seen for so long, in milliseconds. */
  readonly graceMs: number;
}

/** What the kubelet itself does not try again, or what the next try will not change. */
const FINAL_PULL = /^(?:ErrImageNeverPull|InvalidImageName)$/;
const FINAL_PULL_WORDS =
  /not found|manifest unknown|name unknown|does not exist|unauthorized|authentication required|denied|forbidden|no matching manifest/i;
const PULL =
  /^(?:ErrImagePull|ImagePullBackOff|ImageInspectError|RegistryUnavailable|SignatureValidationFailed)$/;
/** An engine may answer so in passing: the name of a container that is just being removed, a Secret that its node has not seen yet. */
const CREATE =
  /^(?:CreateContainerError|CreateContainerConfigError|RunContainerError|PreCreateHookError|PreStartHookError|PostStartHookError|StartError)$/;

const CREATE_GRACE_MS = 3_000;
/** The kubelet tries again after 10 seconds: what is still so then, it has tried twice. */
const PULL_GRACE_MS = 13_000;
/** Pods that end make room, and volumes are bound, in this time. */
const SCHEDULE_GRACE_MS = 8_000;

/** What is wrong with a pod, as its status tells; what is merely not there yet is nothing wrong. */
export function troubleOf({ status = {} }: Pod): Trouble | undefined {
  const { initContainerStatuses = [], containerStatuses = [], conditions = [] } = status;
  for (const container of [...initContainerStatuses, ...containerStatuses]) {
    const trouble = troubleOfContainer(container);
    if (trouble !== undefined) return trouble;
  }
  const scheduled = conditions.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable')
    return {
      kind: 'schedule',
      reason: scheduled.reason,
      message: scheduled.message ?? 'no node takes it',
      code: 'check_failed',
      graceMs: SCHEDULE_GRACE_MS,
    };
  return undefined;
}

function troubleOfContainer({ name, state, lastState }: ContainerStatus): Trouble | undefined {
  const { reason = '', message = '' } = state?.waiting ?? {};
  if (PULL.test(reason) || FINAL_PULL.test(reason))
    return {
      ...{ kind: 'pull', reason, message, container: name },
      code: 'image_missing',
      graceMs: isFinalPull(reason, message) ? 0 : PULL_GRACE_MS,
    };
  if (CREATE.test(reason))
    return {
      ...{ kind: 'create', reason, message, container: name },
      code: 'check_failed',
      graceMs: CREATE_GRACE_MS,
    };
  if (reason !== 'CrashLoopBackOff') return undefined;
  const { exitCode, reason: how = '', message: said = '' } = lastState?.terminated ?? {};
  const outOfMemory = how === 'OOMKilled';
  return {
    ...{ kind: 'crash', reason, container: name, graceMs: 0 },
    message:
      (exitCode === undefined ? 'it ends again and again' : `it ended with exit code ${exitCode}`) +
      (how === '' || how === 'Error' ? '' : ` (${how})`) +
      (said === '' ? '' : `: ${said.trim()}`),
    code: outOfMemory ? 'out_of_memory' : 'container_exited',
  };
}

export function isFinalPull(reason: string, message: string): boolean {
  return FINAL_PULL.test(reason) || FINAL_PULL_WORDS.test(message);
}
