import type { StepHandlers } from '#steps';
import type { RestoreService } from './restore.service.js';
import type { SnapshotService } from './snapshot.service.js';

export function backupHandlers(
  snapshots: SnapshotService,
  restores: RestoreService,
): StepHandlers<'backup'> {
  return {
    'data.snapshot': (context, input) => snapshots.take(context, input),
    'data.restore': (context, input) => restores.restore(context, input),
  };
}
