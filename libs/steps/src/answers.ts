import { Inject, Injectable } from '@nestjs/common';
import { systemIds } from '#kernel';
import {
  commandSubject,
  type CommandData,
  type CommandEnvelope,
  type CommandName,
} from '#contracts';
import type { OutboxMessage } from '#persistence';
import type { StoredResult } from './claim.store.js';
import { STEPS_OPTIONS, type AttemptKey, type StepsOptions } from './options.js';

/** What a step service tells the coordinator, for the outbox. */
@Injectable()
export class Answers {
  constructor(@Inject(STEPS_OPTIONS) private readonly options: StepsOptions) {}

  started(key: AttemptKey, attempt: number, owner: string): OutboxMessage {
    const at = new Date().toISOString();
    return this.message(
      'step-started',
      { ...nameOf(key), attempt, owner, at },
      `${key.upgrade}.${key.stepId}.${key.token}.started`,
    );
  }

  finished(key: AttemptKey, stored: StoredResult): OutboxMessage {
    const id = `${key.upgrade}.${key.stepId}.${key.token}.finished`;
    return this.message('step-finished', { ...nameOf(key), ...stored }, id);
  }

  /** Under a new id, since the coordinator has asked for it once more. */
  finishedAgain(key: AttemptKey, stored: StoredResult): OutboxMessage {
    return this.message('step-finished', { ...nameOf(key), ...stored }, systemIds.next('msg'));
  }

  /** Without an order: the tokens have it, and a start that is heard of after its end says nothing new. */
  private message<N extends CommandName>(name: N, data: CommandData<N>, id: string): OutboxMessage {
    const envelope: CommandEnvelope = {
      id,
      name,
      version: 1,
      at: new Date().toISOString(),
      from: this.options.app,
      data,
    };
    return { subject: commandSubject(name, 'coordinator'), id, payload: JSON.stringify(envelope) };
  }
}

/** The attempt's name alone: a whole claim may be given, and its command is nothing to send back. */
function nameOf({ upgrade, stepId, token }: AttemptKey): AttemptKey {
  return { upgrade, stepId, token };
}
