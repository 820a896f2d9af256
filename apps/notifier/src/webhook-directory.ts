import { Injectable } from '@nestjs/common';
import { LiftlockError } from '#kernel';
import { NONE } from '#contracts';
import { QueryClient } from '#bus';
import type { Webhook } from './domain/event-address.js';

/** An environment's webhooks may be out of date by so much: an upgrade has many events, and they come in a burst. */
const FRESH_MS = 2_000;

/** Which webhooks an environment has, by the planner's word. */
@Injectable()
export class WebhookDirectory {
  private readonly known = new Map<
    string,
    { readonly until: number; readonly webhooks: Promise<readonly Webhook[]> }
  >();

  constructor(private readonly queries: QueryClient) {}

  /** @throws LiftlockError `unavailable`, retryable, when the planner does not answer. */
  async of(environment: string): Promise<readonly Webhook[]> {
    // an event of the fleet's own
    if (environment === NONE) return [];
    const known = this.known.get(environment);
    if (known !== undefined && known.until > performance.now()) return known.webhooks;
    const webhooks = this.ask(environment);
    this.known.set(environment, { until: performance.now() + FRESH_MS, webhooks });
    webhooks.catch(() => this.known.delete(environment));
    return webhooks;
  }

  private async ask(environment: string): Promise<readonly Webhook[]> {
    try {
      return (await this.queries.ask('environment-webhooks', { environment })).webhooks;
    } catch (error) {
      // an upgrade that was refused since its environment is unknown has events too
      if (error instanceof LiftlockError && error.code === 'not_found') return [];
      throw error;
    }
  }
}
