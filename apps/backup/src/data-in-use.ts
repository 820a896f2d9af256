import type { DataDriver, DataSource, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';

/** @throws LiftlockError `data_in_use`, naming what runs on the data. */
export async function assertUnused(
  data: DataDriver,
  context: StepContext,
  source: DataSource,
  what: string,
): Promise<void> {
  refuseUsers(await data.usedBy(context, source), source, what);
}

/**
 * Whatever mounts the data is this container alone, and stands still, or does not run.
 * @throws LiftlockError `data_in_use`, naming what runs on the data besides; `data_changed` where it was let go on
 */
export async function assertPaused(
  data: DataDriver,
  context: StepContext,
  source: DataSource,
  what: string,
): Promise<string[]> {
  const users = await data.usedBy(context, source);
  refuseUsers(
    users.filter((user) => user !== source.container),
    source,
    `${what}; only ${source.container} itself is paused`,
  );
  if (users.length === 0) return users;
  const found = await data.look?.(context, source);
  if (found?.state === 'running') {
    throw new LiftlockError(
      'data_changed',
      `${what}: ${source.container} was let go on by somebody while its data was read`,
    );
  }
  return users;
}

function refuseUsers(users: readonly string[], source: DataSource, what: string): void {
  if (users.length === 0) return;
  throw new LiftlockError(
    'data_in_use',
    `${what}: the data of ${source.container} (${source.paths.join(', ')}) is mounted by what runs: ${users.join(', ')}; stop it first`,
    { details: { users } },
  );
}
