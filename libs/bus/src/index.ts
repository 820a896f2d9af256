export { Bus, type BusOptions } from './bus.js';
export { BusModule, type BusModuleOptions } from './bus.module.js';
export { toCloudEvent, toEnvironmentEvent, toFleetEvent } from './cloud-event.js';
export { CommandServer } from './command-server.js';
export { keepDeadLetter, type DeadLetters } from './dead-letters.js';
export { DurableConsumer, type DurableConsumerOptions } from './durable-consumer.js';
export { HANDLER_OBSERVER, type HandlerObserver } from './handler-observer.js';
export {
  CommandHandlerFor,
  commandHandlers,
  QueryHandlerFor,
  queryHandlers,
  type CommandHandler,
  type QueryHandler,
} from './handler-decorators.js';
export { QueryClient } from './query-client.js';
export { QueryServer } from './query-server.js';
