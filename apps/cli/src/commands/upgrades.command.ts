import { Option, type Command } from 'commander';
import { UPGRADE_STATES, upgradeView } from '#contracts';
import { listItems } from '../api/pages.js';
import { writeJson, type Output } from '../output.js';
import { upgradesTable } from '../show/upgrade-status.js';
import { apiCommand, wholeNumber } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

interface UpgradesOptions extends ApiOptions {
  readonly environment?: string;
  readonly application?: string;
  readonly state?: string[];
  readonly limit: number;
}

export function upgradesCommand(output: Output): Command {
  return apiCommand('upgrades')
    .description('upgrades, the newest first')
    .option('--environment <name>')
    .option('--application <name>')
    .addOption(new Option('--state <state...>', 'one or more').choices(UPGRADE_STATES))
    .option('--limit <number>', 'how many', wholeNumber(1, 10_000), 20)
    .action(async ({ environment, application, state, limit, ...options }: UpgradesOptions) => {
      await withSession(output, options, async ({ client, format }) => {
        const query = { environment, application, state: state?.join(',') };
        const items = await listItems(client, '/v1/upgrades', upgradeView, limit, query);
        if (format === 'json') writeJson(output, items);
        else output.write(upgradesTable(items, new Date()));
      });
    });
}
