import type { Direction, EventType } from '#contracts';
import type { TimerMessage } from './messages.js';

/** What the engine wants done; the coordinator does it in the transaction that stores the saga. */
export type SagaCommand =
  /** Locks for all instances, then `admitted` or `admission-refused`. */
  | { readonly type: 'admit' }
  | { readonly type: 'release-locks' }
  | {
      readonly type: 'run-step';
      readonly stepId: string;
      readonly token: number;
      readonly attempt: number;
      readonly direction: Direction;
    }
  | {
      readonly type: 'revoke-step';
      readonly stepId: string;
      readonly token: number;
      readonly attempt: number;
    }
  | { readonly type: 'set-timer'; readonly afterMs: number; readonly message: TimerMessage };

/** A line of the history. */
export interface SagaEvent {
  readonly type: EventType;
  readonly data: Readonly<Record<string, unknown>>;
}
