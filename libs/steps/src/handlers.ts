import type { Type } from '@nestjs/common';
import { CommandHandlerFor, QueryHandlerFor, type CommandHandler, type QueryHandler } from '#bus';
import {
  DEFAULT_SITE,
  type CommandData,
  type QueryData,
  type QueryReply,
  type StepApp,
} from '#contracts';
import { Receiver } from './receiver.js';
import { StepLog } from './step-log.js';

@CommandHandlerFor('run-step')
export class RunStepHandler implements CommandHandler<'run-step'> {
  constructor(private readonly receiver: Receiver) {}

  handle(data: CommandData<'run-step'>): Promise<void> {
    return this.receiver.run(data);
  }
}

@CommandHandlerFor('revoke-step')
export class RevokeStepHandler implements CommandHandler<'revoke-step'> {
  constructor(private readonly receiver: Receiver) {}

  handle(data: CommandData<'revoke-step'>): Promise<void> {
    // as a claim it looks like any other; nothing of it is ever run
    return this.receiver.revoke({
      ...data,
      environment: DEFAULT_SITE,
      application: DEFAULT_SITE,
      planDigest: NO_PLAN,
      direction: 'back',
    });
  }
}

const NO_PLAN = `sha256:${'0'.repeat(64)}`;

type StepLogQuery = `${StepApp}-step-log`;

/** The query of a service's step logs, which has the service's name in it. */
export function stepLogHandler(app: StepApp): Type<QueryHandler<StepLogQuery>> {
  @QueryHandlerFor(`${app}-step-log`)
  class StepLogHandler implements QueryHandler<StepLogQuery> {
    constructor(private readonly log: StepLog) {}

    async handle(data: QueryData<StepLogQuery>): Promise<QueryReply<StepLogQuery>> {
      return { lines: await this.log.read(data) };
    }
  }
  return StepLogHandler;
}
