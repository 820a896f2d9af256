import { Global, Module, type Abstract, type DynamicModule } from '@nestjs/common';
import { Bus, type BusOptions } from './bus.js';
import { CommandServer } from './command-server.js';
import { DEAD_LETTERS, type DeadLetters } from './dead-letters.js';
import { QueryClient } from './query-client.js';
import { QueryServer } from './query-server.js';

export interface BusModuleOptions extends BusOptions {
  /** Keeps what nobody can handle: a provider of a global module. */
  readonly deadLetters: Abstract<DeadLetters>;
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
        CommandServer,
        QueryServer,
        QueryClient,
      ],
      exports: [Bus, CommandServer, QueryServer, QueryClient],
    };
  }
}
