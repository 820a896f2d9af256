export const HANDLER_OBSERVER = Symbol('handler observer');

/** Told of everything that was handled, for metrics. A provider of a global module; there may be none. */
export interface HandlerObserver {
  /**
   * @param outcome `ok`, `again` (a command that will be delivered again), `dead_letter`, or `error` (a query's).
   * @param seconds how long it took, validation included.
   */
  handled(
    kind: 'command' | 'query',
    name: string,
    outcome: 'ok' | 'again' | 'dead_letter' | 'error',
    seconds: number,
  ): void;
}
