import { Catch, Controller, UseFilters, type RpcExceptionFilter, type Type } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { throwError, type Observable } from 'rxjs';
import {
  COMMANDS,
  QUERIES,
  type App,
  type CommandData,
  type CommandEnvelope,
  type CommandName,
  type QueryData,
  type QueryName,
  type QueryReply,
} from '#contracts';

export interface CommandHandler<N extends CommandName> {
  handle(data: CommandData<N>, envelope: CommandEnvelope): Promise<void>;
}

export interface QueryHandler<N extends QueryName> {
  handle(data: QueryData<N>): Promise<QueryReply<N>>;
}

/** Which of Nest's transports a handler belongs to. */
export const COMMAND_TRANSPORT = Symbol('liftlock commands');
export const QUERY_TRANSPORT = Symbol('liftlock queries');

export const commandPattern = (name: string): string => `command ${name}`;
export const queryPattern = (name: string): string => `query ${name}`;

/** Nest's own filter turns every error into "Internal server error": the transport then cannot tell a retry from a dead letter. */
@Catch()
class PassOn implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** Marks the class that handles a command. */
export function CommandHandlerFor<N extends CommandName>(name: N) {
  return (target: Type<CommandHandler<N>>): void =>
    expose(target, commandPattern(name), COMMAND_TRANSPORT);
}

/** Marks the class that answers a query. */
export function QueryHandlerFor<N extends QueryName>(name: N) {
  return (target: Type<QueryHandler<N>>): void =>
    expose(target, queryPattern(name), QUERY_TRANSPORT);
}

function expose(target: Type, pattern: string, transport: symbol): void {
  const prototype = target.prototype as object;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'handle');
  if (descriptor === undefined)
    throw new Error(`${target.name} handles ${pattern} and has no method handle()`);
  Payload()(prototype, 'handle', 0);
  Ctx()(prototype, 'handle', 1);
  (MessagePattern(pattern, transport) as MethodDecorator)(prototype, 'handle', descriptor);
  UseFilters(PassOn)(target);
  Controller()(target);
}

type To<M, A extends App> = {
  [N in keyof M]: M[N] extends { to: infer T }
    ? A extends (T extends readonly (infer I)[] ? I : T)
      ? N
      : never
    : never;
}[keyof M];
export type CommandsTo<A extends App> = To<typeof COMMANDS, A> & CommandName;
export type QueriesTo<A extends App> = To<typeof QUERIES, A> & QueryName;

/** The handlers of all commands that a service takes: one too few or one too many does not compile. For `controllers`. */
export function commandHandlers<A extends App>(handlers: {
  readonly [N in CommandsTo<A>]: Type<CommandHandler<N>>;
}): Type[] {
  return Object.values(handlers) as Type[];
}

/** The handlers of all queries that a service answers. For `controllers`. */
export function queryHandlers<A extends App>(handlers: {
  readonly [N in QueriesTo<A>]: Type<QueryHandler<N>>;
}): Type[] {
  return Object.values(handlers) as Type[];
}

/** Names of the messages that a service must handle. */
export function handledBy(app: App): {
  readonly commands: CommandName[];
  readonly queries: QueryName[];
} {
  return {
    commands: (Object.keys(COMMANDS) as CommandName[]).filter((name) =>
      (COMMANDS[name].to as readonly App[]).includes(app),
    ),
    queries: (Object.keys(QUERIES) as QueryName[]).filter((name) => QUERIES[name].to === app),
  };
}
