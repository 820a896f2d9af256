import { DEFAULT_SITE, type App } from '../apps.js';
import type { EventType } from '../upgrade/events.js';
import { COMMANDS, type CommandName } from './commands.js';
import { PROGRESS, type ProgressName } from './progress.js';
import { QUERIES, type QueryName } from './queries.js';

export const COMMAND_STREAM = 'LIFTLOCK_COMMANDS';
export const EVENT_STREAM = 'LIFTLOCK_EVENTS';
export const COMMAND_SUBJECTS = 'liftlock.command.>';
export const EVENT_SUBJECTS = 'liftlock.event.>';

function versioned(name: string, version: number): string {
  return version === 1 ? name : `${name}.v${version}`;
}

/** `liftlock.command.<site>.<app>.<action>` */
export function commandSubject(name: CommandName, to: App, site: string = DEFAULT_SITE): string {
  return `liftlock.command.${site}.${to}.${versioned(name, COMMANDS[name].version)}`;
}

/** Filter of the one durable consumer that a site's app has. */
export function commandFilter(app: App, site: string = DEFAULT_SITE): string {
  return `liftlock.command.${site}.${app}.>`;
}

export function commandConsumer(app: App, site: string = DEFAULT_SITE): string {
  return `${site}-${app}`;
}

/** The one durable consumer of events. */
export const EVENT_CONSUMER = 'notifier';

/** `liftlock.query.<site>.<app>.<name>` */
export function querySubject(name: QueryName, site: string = DEFAULT_SITE): string {
  const contract = QUERIES[name];
  return `liftlock.query.${contract.perSite ? site : DEFAULT_SITE}.${contract.to}.${versioned(name, contract.version)}`;
}

/** Stands in an event's subject where an environment or an upgrade would: no document and no upgrade has this name. */
export const NONE = '_';

/** `liftlock.event.<environment>.<application>.<upgrade>.<type>`; of what belongs to no upgrade `liftlock.event._.<app>._.<type>` */
export function eventSubject(
  environment: string,
  application: string,
  upgrade: string,
  type: EventType,
): string {
  return `liftlock.event.${environment}.${application}.${upgrade}.${type}`;
}

/** `liftlock.progress.<environment>.<application>.<upgrade>.<name>`: in no stream, so that who does not listen now never hears it */
export function progressSubject(
  name: ProgressName,
  about: { readonly environment: string; readonly application: string; readonly upgrade: string },
): string {
  const { environment, application, upgrade } = about;
  return `liftlock.progress.${environment}.${application}.${upgrade}.${versioned(name, PROGRESS[name].version)}`;
}
