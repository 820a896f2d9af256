import type { z } from 'zod';
import type { App } from '../apps.js';

/** Something that is to be done once: JetStream, at least once, deduplicated by the receiver's inbox. */
export interface CommandContract<
  N extends string = string,
  S extends z.ZodType = z.ZodType,
  T extends readonly App[] = readonly App[],
> {
  readonly kind: 'command';
  readonly name: N;
  readonly version: number;
  readonly from: readonly App[];
  readonly to: T;
  readonly data: S;
  /** Seconds without a sign of life after which the broker delivers again. */
  readonly ackWaitSeconds: number;
  /** Deliveries until it is a dead letter. */
  readonly maxDeliver: number;
  /** Milliseconds before each further delivery; the last one holds for the rest. */
  readonly backoffMs: readonly number[];
}

/** A question with an answer: core NATS request and reply, over Nest's own transport. Safe to ask again. */
export interface QueryContract<
  N extends string = string,
  S extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
  T extends App = App,
> {
  readonly kind: 'query';
  readonly name: N;
  readonly version: number;
  readonly from: readonly App[];
  readonly to: T;
  /** Whether each site has its own answer; else it is asked of `main`. */
  readonly perSite: boolean;
  readonly data: S;
  readonly reply: R;
  /** Seconds until the asker gives up. */
  readonly timeoutSeconds: number;
}

/** What is worth knowing only now: core NATS, at most once, kept nowhere. Nothing may depend on it, since any of it may be lost. */
export interface ProgressContract<N extends string = string, S extends z.ZodType = z.ZodType> {
  readonly kind: 'progress';
  readonly name: N;
  readonly version: number;
  readonly from: readonly App[];
  /** Services that hear it; so do subscribers of the environment. */
  readonly to: readonly App[];
  readonly data: S;
}

type Defaults<T, K extends keyof T> = Omit<T, K | 'kind' | 'name'> & Partial<Pick<T, K>>;

export function command<N extends string, S extends z.ZodType, const T extends readonly App[]>(
  name: N,
  contract: Defaults<
    CommandContract<N, S, T>,
    'version' | 'ackWaitSeconds' | 'maxDeliver' | 'backoffMs'
  >,
): CommandContract<N, S, T> {
  return {
    kind: 'command',
    name,
    version: 1,
    ackWaitSeconds: 10,
    maxDeliver: 20,
    backoffMs: [100, 500, 2_000, 10_000],
    ...contract,
  };
}

export function query<N extends string, S extends z.ZodType, R extends z.ZodType, T extends App>(
  name: N,
  contract: Defaults<QueryContract<N, S, R, T>, 'version' | 'timeoutSeconds' | 'perSite'>,
): QueryContract<N, S, R, T> {
  return { kind: 'query', name, version: 1, timeoutSeconds: 10, perSite: false, ...contract };
}

export function progress<N extends string, S extends z.ZodType>(
  name: N,
  contract: Defaults<ProgressContract<N, S>, 'version'>,
): ProgressContract<N, S> {
  return { kind: 'progress', name, version: 1, ...contract };
}
