import type { ServerResponse } from 'node:http';
import type { UpgradeProgress } from '#contracts';

/** Between two events of the history, and only to a reader that keeps up. @returns whether it was written. */
export function writeProgress(response: ServerResponse, progress: UpgradeProgress): boolean {
  const { headersSent, writableEnded, destroyed, writableNeedDrain } = response;
  if (!headersSent || writableEnded || destroyed || writableNeedDrain) return false;
  response.write(`event: progress\ndata: ${JSON.stringify(progress)}\n\n`);
  return true;
}
