import { QueryHandlerFor, type QueryHandler } from '#bus';
import { QUERIES, type QueryData, type QueryReply } from '#contracts';
import { DriverRegistry } from '#drivers/core';
import { LiftlockError } from '#kernel';

/** Before the asker gives up, the target is given up: he learns why. */
const DEADLINE_MS = (QUERIES.observe.timeoutSeconds - 2) * 1000;

@QueryHandlerFor('observe')
export class ObserveHandler implements QueryHandler<'observe'> {
  constructor(private readonly drivers: DriverRegistry) {}

  /** @throws LiftlockError `timeout`, retryable, when the target has not answered within 28 s; what the driver throws. */
  async handle(data: QueryData<'observe'>): Promise<QueryReply<'observe'>> {
    const driver = await this.drivers.get(data.target.driver);
    const late = new AbortController();
    const timer = setTimeout(() => {
      const message = `${data.target.name} has not answered within ${DEADLINE_MS / 1000} s: see how busy its host is`;
      late.abort(new LiftlockError('timeout', message));
    }, DEADLINE_MS);
    try {
      return await driver.instances.observe(data, late.signal);
    } finally {
      clearTimeout(timer);
    }
  }
}
