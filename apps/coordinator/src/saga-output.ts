import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LiftlockError, type IdSource } from '#kernel';
import {
  eventSubject,
  isFinal,
  type CommandEnvelope,
  type EventType,
  type HistoryEvent,
  type Plan,
} from '#contracts';
import { toCloudEvent } from '#bus';
import { Outbox, type OutboxMessage } from '#persistence';
import type { SagaCommand } from '#saga';
import { dispatchOf, type Dispatch } from './domain/dispatch.js';
import { isAwaited } from './domain/deadlines.js';
import type { UpgradeRecord } from './domain/upgrade-view.js';
import { DispatchStore, type SettledStep } from './persistence/dispatch.store.js';
import { TimerStore, type NewTimer } from './persistence/timer.store.js';
import { UpgradeStore } from './persistence/upgrade.store.js';
import { IDS, SWEEP_MS } from './tokens.js';

/** What a saga's turn puts into the database besides the saga: history, commands that go out, timers. */
@Injectable()
export class SagaOutput {
  constructor(
    private readonly upgrades: UpgradeStore,
    private readonly timers: TimerStore,
    private readonly dispatches: DispatchStore,
    private readonly outbox: Outbox,
    @Inject(IDS) private readonly ids: IdSource,
    @Inject(SWEEP_MS) private readonly sweepMs: number,
  ) {}

  /** Stores the events and sends them as CloudEvents. */
  async history(
    tx: EntityManager,
    record: UpgradeRecord,
    events: readonly HistoryEvent[],
  ): Promise<void> {
    const { environment, application, id } = record;
    const messages = events.map((event) => ({
      subject: eventSubject(environment, application, id, event.type as EventType),
      id: `${id}:${event.sequence}`,
      payload: JSON.stringify(toCloudEvent(event, record)),
      orderKey: id,
    }));
    await Promise.all([this.upgrades.addHistory(tx, events), this.outbox.add(tx, ...messages)]);
  }

  async commands(
    tx: EntityManager,
    record: UpgradeRecord,
    plan: Plan | undefined,
    commands: readonly SagaCommand[],
    now: Date,
  ): Promise<void> {
    const timers: NewTimer[] = [];
    const dispatches: Dispatch[] = [];
    for (const command of commands) {
      if (command.type === 'set-timer') {
        if (!isAwaited(command.message, record.saga)) continue;
        const dueAt = new Date(now.getTime() + command.afterMs);
        timers.push({ dueAt, message: command.message });
      } else if (command.type === 'run-step' || command.type === 'revoke-step') {
        if (plan === undefined || record.planDigest === undefined)
          throw new LiftlockError('internal', `${record.id} has no plan`);
        const { planDigest } = record;
        dispatches.push(dispatchOf(command, { upgrade: record.id, planDigest, plan }));
      }
    }
    if (isFinal(record.saga.state)) {
      // nothing is awaited of what has ended
      await Promise.all([
        this.timers.clear(tx, record.id),
        this.dispatches.clear(tx, record.id),
        this.outbox.add(tx, ...dispatches.map((one) => firstMessage(record.id, one, now))),
      ]);
      return;
    }
    await Promise.all([
      this.timers.set(tx, record.id, timers),
      this.send(tx, record.id, dispatches, now),
    ]);
  }

  /** Steps that nothing is awaited of any more: no deadline, and nothing to send again. */
  async settled(tx: EntityManager, upgrade: string, steps: readonly SettledStep[]): Promise<void> {
    await this.dispatches.settled(tx, upgrade, steps);
  }

  /** Into the outbox, and into the list of what is to be answered. */
  async send(
    tx: EntityManager,
    upgrade: string,
    dispatches: readonly Dispatch[],
    now: Date,
  ): Promise<void> {
    await Promise.all([
      this.dispatches.open(tx, upgrade, dispatches, new Date(now.getTime() + this.sweepMs)),
      this.outbox.add(tx, ...dispatches.map((one) => firstMessage(upgrade, one, now))),
    ]);
  }

  /** Under a new id: to the service it is a question. */
  async sendAgain(tx: EntityManager, dispatch: Dispatch, now: Date): Promise<void> {
    await this.outbox.add(tx, messageOf(dispatch, now, this.ids.next('msg')));
  }
}

function firstMessage(upgrade: string, dispatch: Dispatch, now: Date): OutboxMessage {
  return messageOf(dispatch, now, `${upgrade}.${dispatch.key}.${dispatch.token}`);
}

/** Without an order: the tokens have it. */
function messageOf(dispatch: Dispatch, now: Date, id: string): OutboxMessage {
  const envelope: CommandEnvelope = {
    id,
    name: dispatch.name,
    version: 1,
    at: now.toISOString(),
    from: 'coordinator',
    data: dispatch.data,
  };
  return { subject: dispatch.subject, id, payload: JSON.stringify(envelope) };
}
