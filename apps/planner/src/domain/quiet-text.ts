import type { DataConsistency, SnapshotHooks } from '#contracts';

/** How a snapshot's data is kept quiet, where it is not stopped for it. */
export function quietText(consistency: DataConsistency, hooks: SnapshotHooks | undefined): string {
  const how = {
    stopped: '',
    paused: ', paused meanwhile',
    running: ', while it runs',
  }[consistency];
  const { before, after } = hooks ?? {};
  const commands = [
    ...(before === undefined ? [] : [`before it ${before.command.join(' ')}`]),
    ...(after === undefined ? [] : [`behind it ${after.command.join(' ')}`]),
  ];
  return [how, ...commands].join('; ');
}
