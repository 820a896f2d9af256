import type { z } from 'zod';
import type { StepApp } from '../apps.js';
import type { Phase, RetryPolicy, UndoKind } from '../plan/step.js';
import { checkInput } from './checks.js';
import * as files from './files.js';
import * as hooks from './hooks.js';
import * as inputs from './inputs.js';
import * as mirror from './mirror.js';

/** What a step may be: the contract between planner, coordinator and the service that runs it. */
export interface ActionContract<
  I extends z.ZodType = z.ZodType,
  O extends z.ZodType = z.ZodType,
  S extends StepApp = StepApp,
> {
  readonly app: S;
  readonly phase: Phase;
  readonly input: I;
  readonly output: O;
  readonly undo: UndoKind;
  /** Default upper bound of one attempt, in seconds. */
  readonly timeoutSeconds: number;
  readonly retry: RetryPolicy;
  /** Whether the driver can see that it happened already. */
  readonly observable: boolean;
  /** Whether each attempt writes all of it anew, for hours perhaps. Default: it does not. */
  readonly writesAnew?: boolean;
}

function action<I extends z.ZodType, O extends z.ZodType, S extends StepApp>(
  contract: ActionContract<I, O, S>,
): ActionContract<I, O, S> {
  return contract;
}

const often: RetryPolicy = { maxAttempts: 5, backoffSeconds: 1, maxBackoffSeconds: 30 };
const few: RetryPolicy = { maxAttempts: 3, backoffSeconds: 1, maxBackoffSeconds: 10 };
/** What tries again by itself: a check has its own deadline. */
const once: RetryPolicy = { maxAttempts: 2, backoffSeconds: 1, maxBackoffSeconds: 1 };
const never: RetryPolicy = { maxAttempts: 1, backoffSeconds: 1, maxBackoffSeconds: 1 };

export const ACTIONS = {
  'instance.assert-unchanged': action({
    app: 'verifier',
    phase: 'verify',
    input: inputs.assertUnchangedInput,
    output: inputs.nothing,
    undo: 'none_needed',
    timeoutSeconds: 60,
    retry: few,
    observable: true,
  }),
  /** The image, with all that belongs to it, is in the environment's mirror. */
  'image.mirror': action({
    app: 'mirror',
    phase: 'mirror',
    input: mirror.mirrorImageInput,
    output: mirror.mirrorImageOutput,
    undo: 'none_needed',
    timeoutSeconds: 6 * 3600,
    // registries are asked several times within one attempt
    retry: once,
    observable: true,
  }),
  'image.prepare': action({
    app: 'mirror',
    phase: 'mirror',
    input: inputs.prepareImageInput,
    output: inputs.imageOutput,
    undo: 'none_needed',
    timeoutSeconds: 3600,
    retry: often,
    observable: true,
  }),
  'instance.stop': action({
    app: 'executor',
    phase: 'execute',
    input: inputs.stopInput,
    output: inputs.instanceOutput,
    undo: 'inverse',
    timeoutSeconds: 300,
    retry: few,
    observable: true,
  }),
  'data.snapshot': action({
    app: 'backup',
    phase: 'backup',
    input: inputs.snapshotInput,
    output: inputs.backupOutput,
    undo: 'none_needed',
    timeoutSeconds: 6 * 3600,
    retry: few,
    observable: true,
  }),
  'instance.replace': action({
    app: 'executor',
    phase: 'execute',
    input: inputs.replaceInput,
    output: inputs.instanceOutput,
    undo: 'restore',
    timeoutSeconds: 300,
    retry: few,
    observable: true,
  }),
  'instance.check': action({
    app: 'verifier',
    phase: 'verify',
    input: checkInput,
    output: inputs.checkOutput,
    undo: 'none_needed',
    timeoutSeconds: 3600,
    retry: once,
    observable: true,
  }),
  'instance.stop-new': action({
    app: 'executor',
    phase: 'execute',
    input: inputs.stopNewInput,
    output: inputs.instanceOutput,
    undo: 'none_needed',
    timeoutSeconds: 300,
    retry: often,
    observable: true,
  }),
  'data.restore': action({
    app: 'backup',
    phase: 'backup',
    input: inputs.restoreInput,
    output: inputs.backupOutput,
    undo: 'none_needed',
    timeoutSeconds: 6 * 3600,
    retry: often,
    observable: true,
    writesAnew: true,
  }),
  'instance.restore-old': action({
    app: 'executor',
    phase: 'execute',
    input: inputs.restoreOldInput,
    output: inputs.instanceOutput,
    undo: 'none_needed',
    timeoutSeconds: 300,
    retry: often,
    observable: true,
  }),
  'instance.remove-new': action({
    app: 'executor',
    phase: 'finalize',
    input: inputs.removeNewInput,
    output: inputs.instanceOutput,
    undo: 'none_needed',
    timeoutSeconds: 300,
    retry: often,
    observable: true,
  }),
  'instance.remove-old': action({
    app: 'executor',
    phase: 'finalize',
    input: inputs.removeOldInput,
    output: inputs.instanceOutput,
    undo: 'irreversible',
    timeoutSeconds: 300,
    retry: often,
    observable: true,
  }),
  /** That the files can be written: their secrets are known, their folders are there, nothing is in the way. Writes nothing. */
  'file.prepare': action({
    app: 'executor',
    phase: 'verify',
    input: files.prepareFilesInput,
    output: inputs.nothing,
    undo: 'none_needed',
    timeoutSeconds: 60,
    retry: few,
    observable: true,
  }),
  'file.write': action({
    app: 'executor',
    phase: 'execute',
    input: files.writeFilesInput,
    output: files.filesOutput,
    undo: 'inverse',
    timeoutSeconds: 300,
    retry: few,
    observable: true,
  }),
  'file.remove': action({
    app: 'executor',
    phase: 'finalize',
    input: files.removeFilesInput,
    output: files.filesOutput,
    undo: 'none_needed',
    timeoutSeconds: 300,
    retry: often,
    observable: true,
  }),
  /** What a planner says of undo, retry and repeatable is the document's: these are only what holds where it says nothing. */
  'hook.command': action({
    app: 'executor',
    phase: 'execute',
    input: hooks.hookCommandInput,
    output: hooks.hookOutput,
    undo: 'inverse',
    timeoutSeconds: 300,
    retry: never,
    observable: false,
  }),
  'hook.http': action({
    app: 'executor',
    phase: 'execute',
    input: hooks.hookHttpInput,
    output: hooks.hookOutput,
    undo: 'inverse',
    timeoutSeconds: 300,
    retry: never,
    observable: false,
  }),
  'hook.job': action({
    app: 'executor',
    phase: 'execute',
    input: hooks.hookJobInput,
    output: hooks.hookOutput,
    undo: 'inverse',
    timeoutSeconds: 300,
    retry: never,
    observable: true,
  }),
  /** It looks before it changes anything, and what it changed is written down. */
  'hook.edit': action({
    app: 'executor',
    phase: 'execute',
    input: hooks.hookEditInput,
    output: hooks.hookOutput,
    undo: 'inverse',
    timeoutSeconds: 300,
    retry: never,
    observable: true,
  }),
  /** What was written down of edits is of no use once nothing takes them back. */
  'hook.forget-edits': action({
    app: 'executor',
    phase: 'finalize',
    input: hooks.forgetEditsInput,
    output: hooks.hookOutput,
    undo: 'none_needed',
    timeoutSeconds: 300,
    retry: often,
    observable: true,
  }),
  /** What is done to objects of a cluster's API: it looks before it changes anything, and what was there is kept on the target. */
  'hook.object': action({
    app: 'executor',
    phase: 'execute',
    input: hooks.hookObjectInput,
    output: hooks.hookOutput,
    undo: 'inverse',
    timeoutSeconds: 300,
    retry: never,
    observable: true,
  }),
  /** By what was kept, so that it needs nothing else. */
  'hook.object-back': action({
    app: 'executor',
    phase: 'execute',
    input: hooks.hookObjectBackInput,
    output: hooks.hookOutput,
    undo: 'none_needed',
    timeoutSeconds: 300,
    retry: often,
    observable: true,
  }),
  /** What was kept of objects is of no use once nothing takes them back. */
  'hook.forget-objects': action({
    app: 'executor',
    phase: 'finalize',
    input: hooks.forgetObjectsInput,
    output: hooks.hookOutput,
    undo: 'none_needed',
    timeoutSeconds: 300,
    retry: often,
    observable: true,
  }),
  /** Running or not: nothing that a hook began goes on while its instance is taken back. */
  'hook.remove-jobs': action({
    app: 'executor',
    phase: 'finalize',
    input: hooks.removeJobsInput,
    output: hooks.hookOutput,
    undo: 'none_needed',
    timeoutSeconds: 300,
    retry: often,
    observable: true,
  }),
} as const;

export type ActionName = keyof typeof ACTIONS;
export type ActionInput<A extends ActionName> = z.infer<(typeof ACTIONS)[A]['input']>;
export type ActionOutput<A extends ActionName> = z.infer<(typeof ACTIONS)[A]['output']>;
/** The actions that one service runs. */
export type ActionOf<S extends StepApp> = {
  [A in ActionName]: (typeof ACTIONS)[A]['app'] extends S ? A : never;
}[ActionName];

export const actionNames = Object.keys(ACTIONS) as ActionName[];
export function isActionName(value: string): value is ActionName {
  return Object.hasOwn(ACTIONS, value);
}
