import type { ErrorShape } from '#kernel';

/** A message that nobody could handle: kept until a person has looked at it. */
export interface DeadLetter {
  readonly messageId: string;
  readonly subject: string;
  readonly payload: string;
  readonly error: ErrorShape;
  readonly deliveries: number;
}
