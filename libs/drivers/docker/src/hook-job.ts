import { createHash } from 'node:crypto';
import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { lastLines } from './container-log.js';
import { nameOf, type ContainerInfo, type Engine } from './engine.js';
import { statusOf } from './errors.js';
import { environmentOf, hookInstance, keepWords } from './hook-instance.js';
import { imageFor } from './image-identity.js';
import { LABELS, marks } from './labels.js';
import { removeFromEngine } from './remove-container.js';

type Input = ActionInput<'hook.job'>;
type Output = ActionOutput<'hook.job'>;

/**
 * Runs a container to its end. One that an earlier attempt made is waited for, or its end is taken: it runs once, unless it failed. It stays
 * until a step removes it (of the lane, or of the upgrade for a hook of the whole application), so that nobody who asks again makes a second one.
 */
export async function runJob(engine: Engine, context: StepContext, input: Input): Promise<Output> {
  const before = await jobOf(engine, context);
  const ended = before !== undefined && hasEnded(before);
  const job = before ?? (await create(engine, context, input));
  if (job.State.Status === 'created') await start(engine, context, job);
  const exitCode = ended ? job.State.ExitCode : await endOf(engine, context, job);
  const said = keepWords(context, await lastLines(engine, job));
  if (exitCode === 0) return { found: ended ? 'done_before' : 'done_now', exitCode, said };
  const last = said.at(-1);
  // the next attempt makes another one
  await remove(engine, context, job.Id);
  throw new LiftlockError(
    'hook_failed',
    `the job ${nameOf(job)} on ${engine.name} ended with ${exitCode}` +
      (last === undefined ? ', and said nothing' : `; it last said: ${last}`),
    { details: { container: input.container, exitCode, said } },
  );
}

/** Whatever the hooks of these steps left, running or not. */
export async function removeJobs(
  engine: Engine,
  context: StepContext,
  { steps }: ActionInput<'hook.remove-jobs'>,
): Promise<ActionOutput<'hook.remove-jobs'>> {
  const found: string[] = [];
  for (const step of steps) found.push(...(await listed(engine, context, step)));
  for (const id of found) await remove(engine, context, id);
  return { found: found.length === 0 ? 'nothing_to_do' : 'done_now', said: [] };
}

function hasEnded({ State }: ContainerInfo): boolean {
  return State.Status === 'exited' || State.Status === 'dead';
}

async function jobOf(engine: Engine, context: StepContext): Promise<ContainerInfo | undefined> {
  const [id] = await listed(engine, context, context.stepId);
  return id === undefined ? undefined : engine.inspect(id, context.signal);
}

async function listed(engine: Engine, context: StepContext, step: string): Promise<string[]> {
  const label = [
    `${LABELS.upgrade}=${context.upgrade}`,
    `${LABELS.role}=job`,
    `${LABELS.step}=${step}`,
  ];
  const found = await engine.call('looking for a job', context.signal, (docker, options) =>
    docker.listContainers({ all: true, filters: { label }, ...options }),
  );
  return found.map(({ Id }) => Id);
}

/** The same for every attempt at a step: the engine refuses a second one. */
function nameOfJob({ upgrade, stepId }: StepContext): string {
  return `liftlock-job-${createHash('sha256').update(`${upgrade} ${stepId}`).digest('hex').slice(0, 16)}`;
}

async function create(engine: Engine, context: StepContext, input: Input): Promise<ContainerInfo> {
  const { work } = input;
  const source = await hookInstance(engine, context, input);
  const image = await imageFor(engine, context, input.image);
  await context.guard();
  const id = await engine.create(
    nameOfJob(context),
    {
      Image: image.Id,
      ...(work.entrypoint === undefined ? {} : { Entrypoint: work.entrypoint }),
      ...(work.command === undefined ? {} : { Cmd: work.command }),
      ...(work.user === undefined ? {} : { User: work.user }),
      Env: environmentOf(work.env),
      Labels: marks(context, 'job', source.Id),
      HostConfig: {
        NetworkMode: work.network ?? source.HostConfig.NetworkMode ?? 'default',
        VolumesFrom: work.volumesFrom ? [source.Id] : [],
      },
    },
    context.signal,
  );
  const made = await engine.inspect(id, context.signal);
  if (made !== undefined) return made;
  throw new LiftlockError('target_unreachable', `the job ${id} is gone from ${engine.name}`);
}

async function start(engine: Engine, context: StepContext, job: ContainerInfo): Promise<void> {
  await context.guard();
  context.log(`starting the job ${nameOf(job)} from ${job.Config.Image}`);
  try {
    await engine.call('starting a job', context.signal, (docker, options) =>
      docker.getContainer(job.Id).start({ ...options }),
    );
  } catch (error) {
    if (statusOf(error) !== 304) throw error; // somebody else has, in between
  }
}

/** @returns its exit code. */
async function endOf(engine: Engine, context: StepContext, job: ContainerInfo): Promise<number> {
  const end: unknown = await engine.call('waiting for a job', context.signal, (docker, options) =>
    docker.getContainer(job.Id).wait({ condition: 'not-running', ...options }),
  );
  return (end as { StatusCode: number }).StatusCode;
}

async function remove(engine: Engine, context: StepContext, id: string): Promise<void> {
  await removeFromEngine(engine, {
    ...{ id, what: 'removing a job', force: true, volumes: true },
    guard: () => context.guard(),
    signal: context.signal,
  });
}
