import pg from 'pg';

/**
 * A connection whose end does not end the process. pg-pool takes its own listener off when it lends a connection, a moment before
 * the borrower has put one on: an error that arrives in between would be an unhandled `error` event. Whoever uses the connection
 * sees it all the same, in the query that fails.
 */
export class SteadyClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on('error', () => undefined);
  }
}
