import type { Command } from 'commander';
import { exitCodeOf } from '../exit-codes.js';
import { writeJson, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';
import { statusLines } from '../show/upgrade-status.js';
import { pickUpgrade } from '../upgrades/pick-upgrade.js';
import { apiCommand } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

export function statusCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('status')
    .description(
      'how an upgrade stands; the exit code is that of watch, and 0 while it is under way',
    )
    .argument('[upgrade]', 'its id; default: the newest that has not ended, else the newest')
    .action(async (id: string | undefined, options: ApiOptions) => {
      await withSession(output, options, async ({ client, format, colours }) => {
        const view = await pickUpgrade(client, id);
        if (format === 'json') writeJson(output, view);
        else output.write(`${statusLines(view, colours, new Date()).join('\n')}\n`);
        setExit(exitCodeOf(view.state));
      });
    });
}
