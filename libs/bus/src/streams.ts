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

/** @returns whether it had to be made. */
export async function ensureStream(
  manager: JetStreamManager,
  name: string,
  subjects: string,
  days: number,
): Promise<boolean> {
  try {
    await manager.streams.info(name);
    return false;
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
  }
  await manager.streams.add({
    name,
    subjects: [subjects],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_age: days * DAY_NS,
    duplicate_window: 120 * SECOND_NS,
  });
  return true;
}
