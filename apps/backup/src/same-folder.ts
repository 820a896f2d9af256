import type { DataDriver, DataSource, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Manifest } from './domain/manifest.js';

/**
 * On a folder lies what is mounted there: a share that is away would else be restored onto the disk below it.
 * @throws LiftlockError `data_missing`, saying what is mounted, and what was
 */
export async function assertSameFolder(
  data: DataDriver,
  context: StepContext,
  source: DataSource,
  { source: { mounts = [] } }: Manifest,
): Promise<void> {
  if (source.folder === undefined) return;
  const text = (all: Manifest['source']['mounts'] = []): string =>
    all.map(({ destination, source: from }) => `${from} at ${destination}`).join(', ');
  const now = text((await data.origin(context, source)).mounts.map((mount) => ({ ...mount })));
  const then = text(mounts);
  if (now === then) return;
  throw new LiftlockError(
    'data_missing',
    `in ${source.folder} on the machine of the backup service there is ${now || 'nothing'}, and when the backup was made there was ${then || 'nothing'}: ` +
      'is the share mounted? nothing was touched',
    { details: { folder: source.folder, now, before: then } },
  );
}
