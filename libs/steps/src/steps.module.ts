import {
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import type { StepApp } from '#contracts';
import { Answers } from './answers.js';
import { Revocations } from './revocations.js';
import { ClaimStore } from './claim.store.js';
import { RevokeStepHandler, RunStepHandler, stepLogHandler } from './handlers.js';
import { LocalStepQueue } from './local-step-queue.js';
import {
  STEP_HANDLERS,
  STEP_QUEUE,
  STEPS_OPTIONS,
  type StepHandlers,
  type StepQueue,
  type StepsOptions,
} from './options.js';
import { Receiver } from './receiver.js';
import { Runner } from './runner.js';
import { StepLog } from './step-log.js';
import { StepSweeper } from './sweeper.js';
import { Transfers } from './transfers.js';

export interface StepsModuleOptions<S extends StepApp> extends StepsOptions {
  readonly app: S;
  /** What the service does; may ask for providers of `imports`. */
  readonly handlers: {
    readonly useFactory: (...needed: never[]) => StepHandlers<S>;
    readonly inject?: FactoryProvider['inject'];
  };
  /** Default: a queue within the process. */
  readonly queue?: StepQueue;
  readonly imports?: ModuleMetadata['imports'];
}

/** The runtime of a step service. The app still lists `stepControllers(app)` among its own controllers' types, through this module. */
@Module({})
export class StepsModule {
  static forApp<S extends StepApp>(options: StepsModuleOptions<S>): DynamicModule {
    return {
      module: StepsModule,
      imports: [...(options.imports ?? [])],
      controllers: [RunStepHandler, RevokeStepHandler, stepLogHandler(options.app) as Type],
      providers: [
        { provide: STEPS_OPTIONS, useValue: options },
        {
          provide: STEP_HANDLERS,
          useFactory: options.handlers.useFactory as never,
          inject: options.handlers.inject ?? [],
        },
        { provide: STEP_QUEUE, useValue: options.queue ?? new LocalStepQueue(options.concurrency) },
        ClaimStore,
        Answers,
        Revocations,
        StepLog,
        Transfers,
        Runner,
        Receiver,
        StepSweeper,
      ],
    };
  }
}
