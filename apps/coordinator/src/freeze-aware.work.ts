import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Plan } from '#contracts';
import { UnitOfWork } from '#persistence';
import { skipsFreezes, type FreezesNow } from './domain/plan-opening.js';
import { FreezeReader } from './freeze.reader.js';

/** Something would begin that a freeze may forbid, and nobody has asked for freezes. */
class FreezesNotAsked extends Error {
  override readonly name = 'FreezesNotAsked';

  constructor(readonly environment: string) {
    super(`nobody has asked for the freezes of ${environment}`);
  }
}

/**
 * What the environment's document has of freezes, for something that is to begin.
 * @throws to have `FreezeAwareWork` ask, where nobody has.
 */
export function insistOnFreezes(plan: Plan, freezes: FreezesNow | undefined): FreezesNow {
  if (skipsFreezes(plan)) return { outcome: 'known', freezes: [] };
  if (freezes === undefined) throw new FreezesNotAsked(plan.environment);
  return freezes;
}

/**
 * Transactions in which it shows only on the way whether something begins that a freeze may forbid. Then the transaction is rolled back, the
 * planner is asked while nothing is held, neither a row nor a connection, and it runs again with the answer. So few questions are asked, and
 * each is asked after what led to it: a freeze that was stored before holds.
 */
@Injectable()
export class FreezeAwareWork {
  constructor(
    private readonly work: UnitOfWork,
    private readonly reader: FreezeReader,
  ) {}

  /** @param ahead the environment to ask for before the first run, where it is known that something is likely to begin. */
  async run<T>(
    turn: (tx: EntityManager, freezes: FreezesNow | undefined) => Promise<T>,
    ahead?: string,
  ): Promise<T> {
    let environment = ahead;
    if (environment === undefined) {
      try {
        return await this.work.run((tx) => turn(tx, undefined));
      } catch (error) {
        if (!(error instanceof FreezesNotAsked)) throw error;
        ({ environment } = error);
      }
    }
    const freezes = await this.reader.read(environment);
    return this.work.run((tx) => turn(tx, freezes));
  }
}
