import { Injectable } from '@nestjs/common';
import { EVENT_CONSUMER } from '#contracts';
import { Inbox, UnitOfWork } from '#persistence';

/** Milliseconds for which events are gathered: an upgrade has hundreds. */
const GATHER_MS = 100;

/**
 * Events that nobody is to be told of. They are written down all the same (a broker that came back empty is filled again, and the webhooks
 * of then do not get the events of now), but many in one statement, since nobody waits for it.
 */
@Injectable()
export class UnawaitedEvents {
  private gathering: { readonly ids: Set<string>; readonly stored: Promise<void> } | undefined;

  constructor(
    private readonly work: UnitOfWork,
    private readonly inbox: Inbox,
  ) {}

  /** Resolves when it is written down, together with what came with it. @throws LiftlockError `unavailable`, retryable. */
  async add(id: string): Promise<void> {
    this.gathering ??= this.gather();
    const { ids, stored } = this.gathering;
    ids.add(id);
    return stored;
  }

  private gather(): { ids: Set<string>; stored: Promise<void> } {
    const ids = new Set<string>();
    const stored = new Promise<void>((resolve) => setTimeout(resolve, GATHER_MS)).then(async () => {
      this.gathering = undefined;
      await this.work.single((db) => this.inbox.acceptAll(db, [...ids], EVENT_CONSUMER));
    });
    return { ids, stored };
  }
}
