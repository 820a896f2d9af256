/** A message that leaves when the transaction has been committed, and only then. */
export interface OutboxMessage {
  readonly subject: string;
  /** Also the `Nats-Msg-Id`: unique. */
  readonly id: string;
  readonly payload: string;
  /**
   * Messages with one key leave in the order in which they were added, as long as whoever adds them holds a lock on what the key
   * names (a later number could be committed first otherwise). Default: no order; such a message leaves at once, without a look
   * into the table: give a key only where the order matters.
   */
  readonly orderKey?: string | undefined;
}
