import type { z } from 'zod';
import {
  ACTIONS,
  type ActionContract,
  type ActionName,
  type Check,
  type Step,
  type StepPlace,
} from '#contracts';
import type { ComponentSpec } from './planning-documents.js';
import type { Problems } from './problems.js';

export type StepInput<A extends ActionName> = z.input<(typeof ACTIONS)[A]['input']>;

export interface StepAbout {
  readonly id: string;
  readonly title: string;
  readonly target: StepPlace;
  readonly component?: string;
  /** Where the documents ask for it, for what is wrong with it. */
  readonly pointer: string;
  /** Where the action's own does not fit. */
  readonly timeoutSeconds?: number;
  readonly undo?: Step['undo'];
  readonly retry?: Step['retry'];
  readonly repeatable?: boolean;
}

const MOST_INPUT_BYTES = 64 * 1024;
const MOST_TITLE = 200;
const LONGEST_TIMEOUT = 7 * 24 * 3600;

/** Bytes of JSON that one character may become: `\u0000`. */
const MOST_BYTES_OF_CHARACTER = 6;
/** Bytes of JSON that a number, a boolean or the marks around something may become. */
const MOST_BYTES_OF_ANOTHER = 32;
/** What names, fields and defaults may add to what an input is made of: they have bounds of their own. */
const ROOM_FOR_THE_REST = 16 * 1024;

/** A component is the same in each hop and on each target. */
const known = new WeakMap<ComponentSpec, number>();

/**
 * Whether no step of an instance can be too large: a bound that is quickly known, while the step need not be made.
 * @param others what its steps are made of besides, by `mostBytesOf`
 */
export function fitsSurely(component: ComponentSpec, others: number): boolean {
  const ofComponent = known.get(component) ?? mostBytesOf(component);
  known.set(component, ofComponent);
  return ofComponent + others < MOST_INPUT_BYTES - ROOM_FOR_THE_REST;
}

/** Upper bound of a value's JSON, in bytes. */
export function mostBytesOf(value: unknown): number {
  if (typeof value === 'string')
    return value.length * MOST_BYTES_OF_CHARACTER + MOST_BYTES_OF_ANOTHER;
  let bytes = MOST_BYTES_OF_ANOTHER;
  if (Array.isArray(value)) for (const item of value) bytes += mostBytesOf(item);
  else if (typeof value === 'object' && value !== null)
    for (const key in value)
      bytes += key.length * MOST_BYTES_OF_CHARACTER + mostBytesOf(value[key as keyof typeof value]);
  return bytes;
}

/** Makes steps of the catalogue's actions; an input that is too large for a message goes to the problems. */
export class StepMaker {
  constructor(private readonly problems: Problems) {}

  make<A extends ActionName>(action: A, about: StepAbout, input: StepInput<A>): Step {
    const contract: ActionContract = ACTIONS[action];
    const text = JSON.stringify(contract.input.parse(input));
    const bytes = Buffer.byteLength(text);
    if (bytes > MOST_INPUT_BYTES) {
      this.problems.add(
        'unplannable',
        about.pointer,
        `the step "${about.title}" is of ${Math.ceil(bytes / 1024)} KiB, and a step may have 64: make env, command, files or the checks smaller`,
      );
    }
    return {
      id: about.id,
      title:
        about.title.length > MOST_TITLE ? `${about.title.slice(0, MOST_TITLE - 1)}…` : about.title,
      phase: contract.phase,
      action,
      app: contract.app,
      target: about.target,
      ...(about.component === undefined ? {} : { component: about.component }),
      // through text: what is left out is gone, as it is in the plan's canonical JSON
      input: JSON.parse(text) as Step['input'],
      undo: about.undo ?? contract.undo,
      timeoutSeconds: Math.min(
        Math.max(1, about.timeoutSeconds ?? contract.timeoutSeconds),
        LONGEST_TIMEOUT,
      ),
      retry: about.retry ?? contract.retry,
      observable: contract.observable,
      repeatable: about.repeatable ?? false,
    };
  }
}

/** A check ends by itself at its deadline; the step's own time is only there for one that hangs. */
const CHECK_MARGIN_SECONDS = 60;

export function checkTimeoutSeconds(check: Check): number {
  return check.deadlineSeconds + check.stableSeconds + CHECK_MARGIN_SECONDS;
}

/** The catalogue's time for what stops a container, or waits until it has ended, and more for one that may take longer. */
export function stopTimeoutSeconds(
  wanted: number | undefined,
  action: 'instance.stop' | 'instance.restore-old' = 'instance.stop',
): number | undefined {
  if (wanted === undefined) return undefined;
  return Math.max(ACTIONS[action].timeoutSeconds, wanted + 60);
}
