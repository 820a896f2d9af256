import type { QueryReply } from '#contracts';

export type Webhook = QueryReply<'environment-webhooks'>['webhooks'][number];

/** What an event's subject says: `liftlock.event.<environment>.<application>.<upgrade>.<type>`. */
export interface EventAddress {
  readonly environment: string;
  readonly type: string;
}

export function addressOf(subject: string): EventAddress | undefined {
  const [product, kind, environment, application, upgrade, type, ...rest] = subject.split('.');
  if (product !== 'liftlock' || kind !== 'event' || rest.length > 0) return undefined;
  if (
    environment === undefined ||
    application === undefined ||
    upgrade === undefined ||
    type === undefined
  )
    return undefined;
  return { environment, type };
}

/** No events named: all of them. */
export function wants(webhook: Webhook, type: string): boolean {
  return webhook.events.length === 0 || webhook.events.includes(type);
}
