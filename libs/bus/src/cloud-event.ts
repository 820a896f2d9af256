import {
  cloudEvent,
  type CommandData,
  type EventData,
  type EventType,
  type HistoryEvent,
  type LiftlockCloudEvent,
} from '#contracts';

/** A line of an upgrade's history as a CloudEvent 1.0. */
export function toCloudEvent(
  event: HistoryEvent,
  about: { readonly environment: string; readonly application: string },
): LiftlockCloudEvent {
  return cloudEvent.parse({
    specversion: '1.0',
    id: `${event.upgrade}:${event.sequence}`,
    source: `/liftlock/${about.environment}/${about.application}`,
    type: `dev.liftlock.${event.type}.v1`,
    subject: event.upgrade,
    time: event.at,
    datacontenttype: 'application/json',
    sequence: String(event.sequence).padStart(10, '0'),
    data: {
      ...event.data,
      upgrade: event.upgrade,
      environment: about.environment,
      application: about.application,
    },
  });
}

/** What belongs to an environment, and to no upgrade of it. */
export function toEnvironmentEvent<T extends EventType>(
  type: T,
  data: EventData<T>,
  {
    environment,
    application,
    id,
    at,
  }: {
    readonly environment: string;
    readonly application: string;
    readonly id: string;
    readonly at: Date;
  },
): LiftlockCloudEvent {
  return cloudEvent.parse({
    specversion: '1.0',
    id: `${environment}:${id}`,
    source: `/liftlock/${environment}/${application}`,
    type: `dev.liftlock.${type}.v1`,
    subject: application,
    time: at.toISOString(),
    datacontenttype: 'application/json',
    sequence: '0'.padStart(10, '0'),
    data: { ...data, environment, application },
  });
}

/** A dead letter that nobody can say the upgrade of: an event of the fleet's own, in no upgrade's history. */
export function toFleetEvent(
  letter: CommandData<'dead-letter-kept'>,
  at: Date,
): LiftlockCloudEvent {
  return cloudEvent.parse({
    specversion: '1.0',
    id: `${letter.app}:${letter.messageId}`,
    source: `/liftlock/${letter.app}`,
    type: 'dev.liftlock.message-dead-lettered.v1',
    subject: letter.messageId,
    time: at.toISOString(),
    datacontenttype: 'application/json',
    sequence: '0'.padStart(10, '0'),
    data: { ...letter },
  });
}
