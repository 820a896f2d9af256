import type { ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import { ObjectRecords, type KeptObject } from './object-records.js';

export type ObjectFound = ActionOutput<'hook.object'>['found'];

/** One attempt at a step that is about objects. */
export class ObjectAttempt {
  readonly changes: Changes;
  readonly records: ObjectRecords;

  constructor(
    readonly cluster: Cluster,
    readonly context: StepContext,
    /** Of the objects, and of the records of them. */
    readonly namespace: string,
    private readonly container: string,
  ) {
    this.changes = new Changes(cluster, context);
    this.records = new ObjectRecords(cluster, context, this.changes, namespace);
  }

  get signal(): AbortSignal {
    return this.context.signal;
  }

  /** Writes down what is there before it is changed, where a step may take it back. */
  keep(step: string, kept: readonly KeptObject[]): Promise<readonly KeptObject[]> {
    return this.records.keep(step, this.container, kept);
  }
}
