import type { Command } from 'commander';
import { exitCodeOf } from '../exit-codes.js';
import type { Output } from '../output.js';
import type { SetExit } from '../run-command.js';
import { pickUpgrade } from '../upgrades/pick-upgrade.js';
import { watchOrLeave } from '../watch/watch-or-leave.js';
import { apiCommand, wholeNumber } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

interface WatchCommandOptions extends ApiOptions {
  readonly timeout?: number;
}

export function watchCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('watch')
    .description(
      'show an upgrade from its beginning until it ends or waits for a person; exit code 0 succeeded, 1 failed or cancelled, 3 rolled back, 4 needs attention, 5 partially succeeded',
    )
    .argument('[upgrade]', 'its id; default: the newest that has not ended, else the newest')
    .option('--timeout <seconds>', 'no longer than this', wholeNumber(1))
    .action(async (id: string | undefined, options: WatchCommandOptions) => {
      await withSession(output, options, async (session) => {
        const picked = await pickUpgrade(session.client, id);
        setExit(exitCodeOf((await watchOrLeave(session, picked.id, options)).state));
      });
    });
}
