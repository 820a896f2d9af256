import type { DataDriver, DataSource, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';

/** @throws LiftlockError `data_in_use`, naming what runs on the data. */
export async function assertUnused(
  data: DataDriver,
  context: StepContext,
  source: DataSource,
  what: string,
): Promise<void> {
  const users = await data.usedBy(context, source);
  if (users.length === 0) return;
  throw new LiftlockError(
    'data_in_use',
    `${what}: the data of ${source.container} (${source.paths.join(', ')}) is mounted by what runs: ${users.join(', ')}; stop it first`,
    { details: { users } },
  );
}
