import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { isFinal, logPage, upgradeView, type LogPage } from '#contracts';
import { upgradePath } from '../api/paths.js';
import type { Output } from '../output.js';
import type { Colours } from '../show/colours.js';
import { printable } from '../show/text.js';
import { pickUpgrade } from '../upgrades/pick-upgrade.js';
import { apiCommand } from './api-command.js';
import { withSession, type ApiOptions, type Session } from './api-session.js';

interface LogsOptions extends ApiOptions {
  readonly step?: string;
  readonly follow?: true;
}

type Line = LogPage['lines'][number];

const PAGE = 500;
const POLL_MS = 1_000;

export function logsCommand(output: Output): Command {
  return apiCommand('logs')
    .description('what the steps of an upgrade had to say; with -o json one line each')
    .argument('[upgrade]', 'its id; default: the newest that has not ended, else the newest')
    .option('--step <id>', 'of this step only')
    .option('-f, --follow', 'go on until the upgrade ends')
    .action(async (id: string | undefined, options: LogsOptions) => {
      await withSession(output, options, async (session) => {
        const { id: upgrade } = await pickUpgrade(session.client, id);
        for await (const line of readLogs(session, upgrade, options))
          output.write(
            session.format === 'json'
              ? `${JSON.stringify(line)}\n`
              : logLine(line, session.colours),
          );
      });
    });
}

async function* readLogs(
  { client, output, signal }: Session,
  upgrade: string,
  { step, follow }: LogsOptions,
): AsyncGenerator<Line> {
  const silent = new Set<string>();
  let cursor: string | undefined;
  for (;;) {
    // asked before the lines: what is written until it has ended is in the pages that follow
    const over =
      follow !== true || isFinal((await client.get(upgradePath(upgrade), upgradeView)).state);
    for (;;) {
      const query = { step, cursor, limit: PAGE };
      const page = await client.get(`${upgradePath(upgrade)}/logs`, logPage, query);
      cursor = page.cursor === '' ? undefined : page.cursor;
      for (const place of page.unavailable) {
        if (!silent.has(place))
          output.writeError(`liftlock: ${place} does not answer: its lines are missing\n`);
        silent.add(place);
      }
      yield* page.lines;
      if (page.lines.length === 0) break;
    }
    if (over) return;
    await delay(POLL_MS, undefined, { signal });
  }
}

function logLine({ at, stepId, level, text }: Line, colours: Colours): string {
  const said = printable(text);
  const coloured =
    level === 'error' ? colours.bad(said) : level === 'warn' ? colours.warn(said) : said;
  return `${colours.dim(at)}  ${stepId}  ${coloured}\n`;
}
