import type { StepContext } from '#drivers/core';
import type { ActionInput, ActionOf, ActionOutput, CommandData, StepApp } from '#contracts';

/** What a step service does: one function for each action of its own. One too few does not compile. */
export type StepHandlers<S extends StepApp> = {
  readonly [A in ActionOf<S>]: (
    context: StepContext,
    input: ActionInput<A>,
  ) => Promise<ActionOutput<A>>;
};

/** The same, for code that knows the action only as data; inputs are checked against the catalogue before. */
export type AnyStepHandlers = Readonly<
  Record<string, (context: StepContext, input: never) => Promise<object>>
>;

export const STEP_HANDLERS = Symbol('step handlers');
export const STEP_QUEUE = Symbol('step queue');
export const STEPS_OPTIONS = Symbol('steps options');

export interface StepsOptions {
  readonly app: StepApp;
  /** Milliseconds that a claim holds without a heartbeat. */
  readonly leaseMs: number;
  /** Milliseconds between two sweeps. */
  readonly sweepMs: number;
  /** Attempts that one process runs at the same time. */
  readonly concurrency: number;
  /** Milliseconds between two heartbeats of an attempt. Default: a third of the lease. */
  readonly heartbeatMs?: number | undefined;
  /** Milliseconds in which an attempt that was told to stop has to: its result is not waited for any longer. Default: 10 000. */
  readonly deafMs?: number | undefined;
  /**
   * Milliseconds that what was told to stop gets, results included, before a service that is stopped leaves without it: then it is
   * found by the sweeper. Default: 4 000.
   */
  readonly leaveMs?: number | undefined;
}

export type RunStep = CommandData<'run-step'>;

/** Names an attempt: a job's id, and what is looked for in the claims. */
export interface AttemptKey {
  readonly upgrade: string;
  readonly stepId: string;
  readonly token: number;
}

export function keyText(key: AttemptKey): string {
  return `${key.upgrade}|${key.stepId}|${key.token}`;
}

export function parseKey(text: string): AttemptKey {
  const [upgrade, stepId, token] = text.split('|');
  if (upgrade === undefined || stepId === undefined || token === undefined)
    throw new Error(`${text} names no attempt`);
  return { upgrade, stepId, token: Number(token) };
}

/**
 * Brings accepted attempts to a process that runs them. Jobs are hints: the claim in PostgreSQL decides whether one runs, and the sweeper
 * enqueues again what a queue has lost.
 */
export interface StepQueue {
  enqueue(key: string): Promise<void>;
  start(run: (key: string) => Promise<void>): void;
  /** Takes nothing new; resolves when what runs has ended. */
  close(): Promise<void>;
}
