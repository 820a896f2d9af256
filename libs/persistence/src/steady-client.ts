import pg from 'pg';
import { preparedName } from './prepared-name.js';

/**
 * A connection whose end does not end the process. pg-pool takes its own listener off when it lends a connection, a moment before
 * the borrower has put one on: an error that arrives in between would be an unhandled `error` event. Whoever uses the connection
 * sees it all the same, in the query that fails.
 *
 * It keeps statements that have parameters prepared.
 */
export class SteadyClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on('error', () => undefined);
  }

  /** In whichever of its forms. */
  override query(...given: readonly unknown[]): never {
    const query = super.query.bind(this) as (...asked: readonly unknown[]) => never;
    const [text, values, ...rest] = given;
    if (typeof text !== 'string' || !Array.isArray(values) || values.length === 0)
      return query(...given);
    const name = preparedName(text);
    return name === undefined ? query(...given) : query({ name, text, values }, ...rest);
  }
}
