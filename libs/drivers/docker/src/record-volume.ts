import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { orMissing, type Engine } from './engine.js';
import { LABELS } from './labels.js';

/** What must be known of an upgrade on its engine also after a crash: an empty volume, whose labels are what was written down. */
export interface RecordVolume {
  /** Names what it is about: writing it a second time changes nothing. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What is being done, for messages: "writing down …". */
  readonly what: string;
}

const TRIES = 3;

/**
 * Making a volume is atomic, survives whatever happens to us, and making it a second time gives back the first one. But an engine that
 * is killed while it makes one may leave it without labels, and gives that back from then on: what was written is read, and where it
 * is not there, that volume goes.
 */
export async function writeRecord(
  engine: Engine,
  context: StepContext,
  { name, labels, what }: RecordVolume,
): Promise<void> {
  for (let tries = 1; tries <= TRIES; tries += 1) {
    await context.guard();
    await engine.call(what, context.signal, (docker, options) =>
      docker.createVolume({ Name: name, Labels: labels, ...options }),
    );
    const found = await orMissing(
      engine.call(what, context.signal, (docker, options) =>
        docker.getVolume(name).inspect({ ...options }),
      ),
    );
    if (found?.Labels?.[LABELS.role] === labels[LABELS.role]) return;
    await removeRecordVolume(engine, context, name, what);
  }
  throw new LiftlockError(
    'target_refused',
    `${what} on ${engine.name} failed: the engine keeps the volume ${name} without its labels; remove it, and try again`,
    { details: { target: engine.name, volume: name } },
  );
}

/**
 * @param what is being done, for messages
 * @returns whether it was there
 */
export async function removeRecordVolume(
  engine: Engine,
  context: StepContext,
  name: string,
  what: string,
): Promise<boolean> {
  await context.guard();
  const removed = engine.call(what, context.signal, async (docker, options) => {
    await docker.getVolume(name).remove({ ...options });
    return true;
  });
  return (await orMissing(removed)) === true;
}
