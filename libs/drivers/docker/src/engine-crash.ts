import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { seconds } from './check-log.js';
import { orMissing, type ContainerInfo, type Engine } from './engine.js';

/** So many of its last events an engine keeps, in memory only. */
const KEPT_EVENTS = 256;
/** Seconds between the moment that an engine notes as a container's start and that of its event. */
const START_SLACK_SECONDS = 2;

/**
 * How what runs ends when its engine or its host does: by SIGTERM (143, or 0 where it is handled), by SIGKILL (137), or unseen
 * (255 is what an engine writes down of a container that is gone when it comes back).
 */
const TAKEN_DOWN: ReadonlySet<number> = new Set([0, 137, 143, 255]);

const engineEvent = z.object({
  Action: z.string(),
  time: z.number(),
  Actor: z.object({ ID: z.string() }),
});
type EngineEvent = z.infer<typeof engineEvent>;

/**
 * Whether a container that has ended did not end by itself, but with its engine: it crashed, was restarted, or the host was
 * switched off. An engine that comes back after a SIGKILL ends what runs on without it, and starts only what has the policy `always`
 * again; `unless-stopped` it takes for stopped by hand, and `no` (held back, or a person's) stays as it is. What the engine in
 * service saw to start and to end has ended by itself; so has what ended before with an exit code that no engine makes.
 */
export async function endedWithEngine(
  engine: Engine,
  container: ContainerInfo,
  signal: AbortSignal,
): Promise<boolean> {
  const { Status, StartedAt, OOMKilled, ExitCode } = container.State;
  if (Status !== 'exited' || OOMKilled) return false;
  const started = Date.parse(StartedAt);
  const kept = await keptEvents(engine, signal);
  const own = kept.filter(({ Actor }) => Actor.ID === container.Id);
  const sawStart = own.some(
    ({ Action, time }) => Action === 'start' && time >= started / 1000 - START_SLACK_SECONDS,
  );
  if (sawStart) return false;
  // a start that it does not know of, though it would: it was not there yet
  const since = await madeBridgeAt(engine, signal);
  const startedLater = since === undefined ? kept.length < KEPT_EVENTS : since > started;
  if (!startedLater) return false;
  return own.some(({ Action }) => Action === 'die') || TAKEN_DOWN.has(ExitCode);
}

/** The last events of an engine, the oldest first. */
export async function keptEvents(
  engine: Pick<Engine, 'call'>,
  signal: AbortSignal,
): Promise<EngineEvent[]> {
  const info = await engine.call<unknown>('asking the engine for its time', signal, (docker) =>
    docker.info(),
  );
  // until then by its own clock, so that the answer ends
  const until = seconds((info as { SystemTime: string }).SystemTime);
  const lines = await engine.call('reading the engine’s events', signal, async (docker, options) =>
    text((await docker.getEvents({ since: '0', until, ...options } as object)) as Readable),
  );
  return lines.split('\n').flatMap((line) => {
    const event = line === '' ? undefined : engineEvent.safeParse(JSON.parse(line)).data;
    return event ?? [];
  });
}

/** An engine makes its bridge anew whenever it starts: the only thing that tells since when it runs. Not every engine has one. */
async function madeBridgeAt(engine: Engine, signal: AbortSignal): Promise<number | undefined> {
  const bridge = await orMissing(
    engine.call('looking at the engine’s bridge', signal, (docker) =>
      docker.getNetwork('bridge').inspect(),
    ),
  );
  const made = Date.parse(bridge?.Created ?? '');
  return Number.isFinite(made) ? made : undefined;
}
