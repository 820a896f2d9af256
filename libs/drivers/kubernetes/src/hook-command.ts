import type { ActionInput, ActionOutput } from '#contracts';
import { despiteRestarts, type StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import { statusOf } from './errors.js';
import { execute } from './exec.js';
import { withEnvironment } from './exec-environment.js';
import { hookInstance, keepWords } from './hook-instance.js';
import { instanceTitle } from './instance.js';
import type { Pod } from './objects.js';
import { podToUse, runs } from './pod-state.js';
import { RESOURCES } from './resources.js';

type Input = ActionInput<'hook.command'>;
type Output = ActionOutput<'hook.command'>;

/** A command in one pod of the instance, once. */
export async function runHookCommand(
  cluster: Cluster,
  context: StepContext,
  input: Input,
): Promise<Output> {
  const { work, onlyWhileRunning } = input;
  if (work.user !== undefined)
    throw new LiftlockError(
      'invalid_step',
      'a command in a pod runs as the user of its container: Kubernetes knows no other; leave user out, or use a hook of the type job',
    );
  // to look may be done again; to run not: nobody could tell whether it ran
  const found = await despiteRestarts(cluster, context, () =>
    hookInstance(cluster, context, input),
  );
  const { name } = found.container;
  const title = instanceTitle(found.instance);
  const pod = podToUse(found.pods, name);
  if (pod === undefined) {
    if (onlyWhileRunning) return nothingToUndo(context, title);
    throw new LiftlockError(
      'hook_failed',
      `the hook is not run: no pod of ${title} on ${cluster.name} runs`,
      { details: { container: input.container } },
    );
  }
  await context.guard();
  try {
    return await run(cluster, context, pod, name, input);
  } catch (error) {
    const known = LiftlockError.from(error);
    const isGone = known.code === 'hook_failed' || [400, 404, 500].includes(statusOf(error) ?? 0);
    if (!onlyWhileRunning || !isGone || context.signal.aborted) throw asHookFailed(known);
    // what was to be undone in that run has ended with it
    if (await isAnotherRun(cluster, context, pod, name)) return nothingToUndo(context, title);
    throw asHookFailed(known);
  }
}

async function run(
  cluster: Cluster,
  context: StepContext,
  pod: Pod,
  container: string,
  { work }: Input,
): Promise<Output> {
  const { exitCode: wanted } = work;
  const [first = ''] = work.command;
  const { command, input } = withEnvironment(work.command, work.env);
  const { exitCode, stdout, stderr } = await execute(
    cluster,
    pod,
    { container, command, input },
    context.signal,
  );
  const said = keepWords(context, linesOf(`${stdout}\n${stderr}`));
  if (exitCode === wanted) return { found: 'done_now', exitCode, said };
  const last = said.at(-1);
  throw new LiftlockError(
    'hook_failed',
    `${first} in ${pod.metadata.name} on ${cluster.name} ended with ${exitCode}, not ${wanted}` +
      (last === undefined ? ', and said nothing' : `; it last said: ${last}`),
    { details: { pod: pod.metadata.name, exitCode, said } },
  );
}

function nothingToUndo(context: StepContext, title: string): Output {
  context.log(`no pod of ${title} runs: there is nothing to undo in it`);
  return { found: 'nothing_to_do', said: [] };
}

/** What the API says of a pod that is not there, or does not run, is no refusal of ours: the pod has failed. */
function asHookFailed(known: LiftlockError): LiftlockError {
  if (![400, 404].includes(statusOf(known) ?? 0)) return known;
  return new LiftlockError('hook_failed', known.message, {
    cause: known,
    ...(known.details === undefined ? {} : { details: known.details }),
  });
}

async function isAnotherRun(
  cluster: Cluster,
  { signal }: StepContext,
  { metadata: { namespace, name, uid }, status }: Pod,
  container: string,
): Promise<boolean> {
  const now = await cluster.get<Pod>(RESOURCES.pods, { namespace, name }, signal);
  if (now?.metadata.uid !== uid || !runs(now, container)) return true;
  const restarts = (of: Pod['status']): number | undefined =>
    of?.containerStatuses?.find((one) => one.name === container)?.restartCount;
  return restarts(now.status) !== restarts(status);
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== '');
}
