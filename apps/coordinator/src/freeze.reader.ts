import { Injectable, Logger } from '@nestjs/common';
import { LiftlockError } from '#kernel';
import { QueryClient } from '#bus';
import type { FreezesNow } from './domain/plan-opening.js';

/** Asks the planner, which has the documents, for an environment's freezes as they are written now. */
@Injectable()
export class FreezeReader {
  private readonly logger = new Logger(FreezeReader.name);

  constructor(private readonly queries: QueryClient) {}

  /** Takes some seconds where the planner is away, so that nothing is to be held meanwhile; that it is away is an answer, too. */
  async read(environment: string): Promise<FreezesNow> {
    try {
      const ask = () => this.queries.ask('environment-freezes', { environment });
      // an answer is lost where a connection to NATS breaks
      const { freezes } = await ask().catch((error: unknown) => {
        if (LiftlockError.from(error).code !== 'timeout') throw error;
        return ask();
      });
      return { outcome: 'known', freezes };
    } catch (error) {
      const { code, message } = LiftlockError.from(error);
      // a document that was deleted since freezes nothing; what the plan has of it still holds
      if (code === 'not_found') return { outcome: 'known', freezes: [] };
      this.logger.warn(`freezes of ${environment}: ${code}: ${message}`);
      return { outcome: 'unknown', message };
    }
  }
}
