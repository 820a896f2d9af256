import type { Command } from 'commander';
import type { HistoryEvent } from '#contracts';
import { followEvents } from '../api/follow-events.js';
import type { Output } from '../output.js';
import { printable } from '../show/text.js';
import { pickUpgrade } from '../upgrades/pick-upgrade.js';
import { apiCommand, wholeNumber } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

interface EventsOptions extends ApiOptions {
  readonly after: number;
}

export function eventsCommand(output: Output): Command {
  return apiCommand('events')
    .description(
      'the history of an upgrade, and what happens, until it ends; with -o json one event a line',
    )
    .argument('[upgrade]', 'its id; default: the newest that has not ended, else the newest')
    .option('--after <sequence>', 'only what came after', wholeNumber(0), 0)
    .action(async (id: string | undefined, { after, ...options }: EventsOptions) => {
      await withSession(output, options, async ({ client, format, signal }) => {
        const view = await pickUpgrade(client, id);
        for await (const event of followEvents(client, view.id, {
          after,
          signal,
          onContact: (there) =>
            output.writeError(
              there ? 'liftlock: in contact again\n' : 'liftlock: contact is lost: trying again\n',
            ),
        }))
          output.write(format === 'json' ? `${JSON.stringify(event)}\n` : eventLine(event));
      });
    });
}

function eventLine({ sequence, at, type, data }: HistoryEvent): string {
  const rest = Object.keys(data).length === 0 ? '' : `  ${JSON.stringify(data)}`;
  return `${printable(`${String(sequence).padStart(4)}  ${at}  ${type}${rest}`)}\n`;
}
