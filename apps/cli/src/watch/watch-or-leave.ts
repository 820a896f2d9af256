import type { UpgradeView } from '#contracts';
import { LiftlockError } from '#kernel';
import type { Session } from '../commands/api-session.js';
import { writeJson } from '../output.js';
import { watchUpgrade } from './watch-upgrade.js';

/**
 * Watches an upgrade to its end, and writes what has become of it. Who leaves earlier, by Ctrl-C or by a time limit, is told how to come
 * back: the upgrade goes on without us.
 * @throws LiftlockError `timeout` when `timeout` seconds are over.
 */
export async function watchOrLeave(
  session: Session,
  id: string,
  { timeout }: { readonly timeout?: number } = {},
): Promise<UpgradeView> {
  const { client, output, colours, format } = session;
  const limit = timeout === undefined ? undefined : AbortSignal.timeout(timeout * 1_000);
  const signal = limit === undefined ? session.signal : AbortSignal.any([session.signal, limit]);
  try {
    const toError = format === 'json';
    const view = await watchUpgrade(client, id, { output, colours, signal, toError });
    if (format === 'json') writeJson(output, view);
    return view;
  } catch (error) {
    if (session.signal.aborted)
      output.writeError(`the upgrade goes on without you: liftlock watch ${id}\n`);
    else if (limit?.aborted === true)
      throw new LiftlockError(
        'timeout',
        `${id} has not ended within ${timeout} s, and goes on: liftlock watch ${id}`,
        { cause: error },
      );
    throw error;
  }
}
