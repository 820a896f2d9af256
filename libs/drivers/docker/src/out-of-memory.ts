import { waitFor } from '#kernel';
import type { ContainerInfo, Engine } from './engine.js';
import { keptEvents } from './engine-crash.js';

/** Exit code of what was ended by SIGKILL: by the kernel, an engine or a person. */
const KILLED = 137;
/** For so long the word that it was the kernel is waited for, in milliseconds. */
const WORD_MS = 2000;
const LOOK_MS = 100;

/**
 * Whether the kernel killed a container that has ended, since its memory was used up. An engine hears of that and of the end from two
 * places, in any order: 20.10 marks only an end that comes second, and tells the rest in its events alone.
 * @param waitMs for how long it is asked for where the exit code leaves it open, in milliseconds
 */
export async function wasOutOfMemory(
  engine: Pick<Engine, 'inspect' | 'call'>,
  { Id, State, HostConfig }: ContainerInfo,
  waitMs = WORD_MS,
): Promise<boolean> {
  if (State.OOMKilled) return true;
  if (State.ExitCode !== KILLED || !HostConfig.Memory) return false;
  const started = Math.floor(Date.parse(State.StartedAt) / 1000);
  const signal = AbortSignal.timeout(waitMs);
  const isSaid = async (): Promise<boolean> =>
    (await engine.inspect(Id, signal))?.State.OOMKilled === true ||
    (await keptEvents(engine, signal)).some(
      ({ Action, Actor, time }) => Action === 'oom' && Actor.ID === Id && time >= started,
    );
  const options = { what: 'the word of the kernel', deadlineMs: waitMs, everyMs: LOOK_MS };
  // an engine that says nothing, or nothing any more, leaves it at the exit code
  return waitFor(isSaid, options).catch(() => false);
}
