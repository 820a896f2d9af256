import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { OutboxMessage } from './outbox-message.js';

/**
 * Tells the relay of this process what was committed: messages without an order key it can bring out straight from memory,
 * for the others it has to look.
 */
@Injectable()
export class CommittedMessages {
  private readonly added = new WeakMap<EntityManager, OutboxMessage[]>();
  private listener: (messages: readonly OutboxMessage[]) => void = () => undefined;

  /** A message that leaves if `tx` is committed. */
  note(tx: EntityManager, message: OutboxMessage): void {
    const messages = this.added.get(tx);
    if (messages === undefined) this.added.set(tx, [message]);
    else messages.push(message);
  }

  /** To be called when `tx` has been committed. */
  committed(tx: EntityManager): void {
    const messages = this.added.get(tx);
    this.added.delete(tx);
    if (messages !== undefined) this.listener(messages);
  }

  /** Messages that were committed by a statement of their own. */
  left(messages: readonly OutboxMessage[]): void {
    if (messages.length > 0) this.listener(messages);
  }

  onCommit(listener: (messages: readonly OutboxMessage[]) => void): void {
    this.listener = listener;
  }
}
