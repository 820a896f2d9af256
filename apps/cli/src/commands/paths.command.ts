import type { Command } from 'commander';
import { upgradePathList, type UpgradePathList } from '#contracts';
import { writeJson, type Output } from '../output.js';
import { printable, table } from '../show/text.js';
import { apiCommand } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

export function pathsCommand(output: Output): Command {
  return apiCommand('paths')
    .description('what each component runs, and to which versions it may go, by which way')
    .argument('<environment>')
    .argument('<application>')
    .action(async (environment: string, application: string, options: ApiOptions) => {
      await withSession(output, options, async ({ client, format }) => {
        const path = `/v1/environments/${encodeURIComponent(environment)}/paths`;
        const found = await client.get(path, upgradePathList, { application });
        if (format === 'json') writeJson(output, found);
        else output.write(listing(found));
      });
    });
}

function listing({ items }: UpgradePathList): string {
  return table([
    ['COMPONENT', 'VERSION', 'TARGETS', 'AVAILABLE UPGRADES'],
    ...items.flatMap(({ component, version, targets, availableUpgrades }) => {
      const here = [component, version, targets.join(',')].map(printable);
      const [first = 'none', ...more] = availableUpgrades.map(({ upgradePath, release }) =>
        printable(`${upgradePath.join(' --> ')}  (${release})`),
      );
      return [[...here, first], ...more.map((one) => ['', '', '', one])];
    }),
  ]);
}
