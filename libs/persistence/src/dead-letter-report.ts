import { digestOf } from '#kernel';
import {
  COMMANDS,
  commandSubject,
  upgradeId,
  type App,
  type CommandData,
  type CommandEnvelope,
  type EventType,
} from '#contracts';
import type { DeadLetter } from './dead-letter.js';
import type { OutboxMessage } from './outbox-message.js';

const NAME = 'dead-letter-kept';
const EVENT: EventType = 'message-dead-lettered';
/** Wrong fields that are told of: a large message may have any number of them, and the report must fit into one itself. */
const ISSUES = 20;
/** Token of an event's subject: `liftlock.event.<environment>.<application>.<upgrade>.<type>`. */
const UPGRADE_TOKEN = 4;

/**
 * What the coordinator is told of a dead letter: never the payload, which stays where it is.
 * @returns nothing for a dead letter that itself tells of one: there would be no end.
 */
export function reportOf(letter: DeadLetter, app: App, at: Date): OutboxMessage | undefined {
  const { messageId, subject, error, deliveries } = letter;
  if (subject.includes(`.${NAME}`) || subject.endsWith(`.${EVENT}`)) return undefined;
  const upgrade = upgradeOf(letter);
  const { details: _details, issues, ...said } = error;
  const data: CommandData<typeof NAME> = {
    app,
    messageId,
    subject,
    ...(upgrade === undefined ? {} : { upgrade }),
    error: {
      ...said,
      ...(issues === undefined
        ? {}
        : { issues: issues.slice(0, ISSUES).map((issue) => ({ ...issue })) }),
    },
    deliveries,
  };
  // the letter's own id may be as long as an id can be
  const id = `${NAME}.${app}.${digestOf(messageId).slice('sha256:'.length)}`;
  const envelope: CommandEnvelope = {
    id,
    name: NAME,
    version: COMMANDS[NAME].version,
    at: at.toISOString(),
    from: app,
    data,
  };
  return { id, subject: commandSubject(NAME, 'coordinator'), payload: JSON.stringify(envelope) };
}

/** A command says it in its data, an event in its subject; of what cannot be read nobody can say. */
function upgradeOf({ payload, subject }: DeadLetter): string | undefined {
  return [() => readUpgrade(payload), () => subject.split('.')[UPGRADE_TOKEN]]
    .map((look) => upgradeId.safeParse(look()).data)
    .find((upgrade) => upgrade !== undefined);
}

function readUpgrade(payload: string): unknown {
  try {
    const message = JSON.parse(payload) as {
      readonly data?: { readonly upgrade?: unknown };
    } | null;
    return message?.data?.upgrade;
  } catch {
    return undefined;
  }
}
