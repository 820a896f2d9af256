import { Global, Module, type Abstract, type DynamicModule } from '@nestjs/common';
import { Bus, type BusOptions } from './bus.js';
import { ACK_WAIT_SECONDS, CommandServer, DEFAULT_ACK_WAIT_SECONDS } from './command-server.js';
import { DEAD_LETTERS, type DeadLetters } from './dead-letters.js';
import { QueryClient } from './query-client.js';
import { QueryServer } from './query-server.js';

export interface BusModuleOptions extends BusOptions {
  /** Keeps what nobody can handle: a provider of a global module. */
  readonly deadLetters: Abstract<DeadLetters>;
  /**
   * Seconds until a command that is neither answered nor said to be in progress is delivered again; default 10. All replicas have the
   * same: the broker refuses a consumer that is there with another.
   */
  readonly ackWaitSeconds?: number;
}

/** The connection, and both ways of being spoken to. */
@Global()
@Module({})
export class BusModule {
  static forRoot(options: BusModuleOptions): DynamicModule {
    return {
      module: BusModule,
      providers: [
        { provide: Bus, useFactory: () => Bus.open(options) },
        { provide: DEAD_LETTERS, useExisting: options.deadLetters },
        {
          provide: ACK_WAIT_SECONDS,
          useValue: options.ackWaitSeconds ?? DEFAULT_ACK_WAIT_SECONDS,
        },
        CommandServer,
        QueryServer,
        QueryClient,
      ],
      exports: [Bus, CommandServer, QueryServer, QueryClient],
    };
  }
}
