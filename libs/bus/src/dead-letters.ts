import type { JsMsg } from '@nats-io/jetstream';
import type { ErrorShape, LiftlockError } from '#kernel';

export const DEAD_LETTERS = Symbol('dead letters');

/** Keeps what nobody can handle. */
export interface DeadLetters {
  record(letter: {
    readonly messageId: string;
    readonly subject: string;
    readonly payload: string;
    readonly error: ErrorShape;
    readonly deliveries: number;
  }): Promise<void>;
}

/** Resolves when it is kept: only then may it be taken from the stream. */
export function keepDeadLetter(
  deadLetters: DeadLetters,
  message: JsMsg,
  error: LiftlockError,
): Promise<void> {
  return deadLetters.record({
    messageId: message.headers?.get('Nats-Msg-Id') || `${message.info.stream}:${message.seq}`,
    subject: message.subject,
    payload: message.string(),
    error: error.toShape(),
    deliveries: message.info.deliveryCount,
  });
}
