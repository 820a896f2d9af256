import {
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
} from '@nats-io/jetstream';

const SECOND_NS = 1_000_000_000;
const DAY_NS = 24 * 3600 * SECOND_NS;
const STREAM_NOT_FOUND = 10_059;

/** @returns whether it had to be made, and when the one that is there now was made: as the broker has it, RFC 3339. */
export async function ensureStream(
  manager: JetStreamManager,
  name: string,
  subjects: string,
  days: number,
): Promise<{ readonly made: boolean; readonly created: string }> {
  try {
    const { created } = await manager.streams.info(name);
    return { made: false, created };
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
  }
  const { created } = await manager.streams.add({
    name,
    subjects: [subjects],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_age: days * DAY_NS,
    duplicate_window: 120 * SECOND_NS,
  });
  return { made: true, created };
}
