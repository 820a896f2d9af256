import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import { hashOf, LABELS, marks } from './labels.js';
import type { ObjectPlace } from './object-place.js';
import type { KubeObject } from './objects.js';
import { RESOURCES } from './resources.js';

/** One object that a step changed. */
export interface KeptObject {
  readonly place: ObjectPlace;
  /** The whole of it; null: there was none. */
  readonly before: KubeObject | null;
  /** What the step makes of it, as far as it is needed to know it again. */
  readonly after?: unknown;
}

interface RecordSecret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/**
 * What steps found in place of what they changed, written down before: Secrets in the namespace of the objects, whatever these are, since
 * nobody may read by a record what he may not read there.
 */
export class ObjectRecords {
  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
    private readonly changes: Changes,
    private readonly namespace: string,
  ) {}

  async find(step: string): Promise<readonly KeptObject[] | undefined> {
    const text = (await this.get(step))?.data?.['record'];
    if (text === undefined) return undefined;
    try {
      return JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as KeptObject[];
    } catch {
      throw new LiftlockError(
        'drift',
        `the record Secret ${this.namespace}/${this.nameOf(step)} on ${this.cluster.name} does not hold what this upgrade wrote into it: ` +
          'put back by hand what the step changed, and close the upgrade',
      );
    }
  }

  /** @returns what is kept from now on: of an attempt before, its own */
  async keep(
    step: string,
    container: string,
    kept: readonly KeptObject[],
  ): Promise<readonly KeptObject[]> {
    await this.changes.create(RESOURCES.secrets, {
      metadata: {
        ...{ namespace: this.namespace, name: this.nameOf(step) },
        ...marks({ upgrade: this.context.upgrade, stepId: step }, 'object', container),
      },
      type: 'liftlock.dev/record',
      stringData: { record: JSON.stringify(kept) },
    });
    return (await this.find(step)) ?? kept;
  }

  /** What was found stays; what is made of it is something else than an earlier attempt meant. */
  async update(step: string, kept: readonly KeptObject[]): Promise<void> {
    const there = await this.get(step);
    if (there === undefined) return;
    const record = Buffer.from(JSON.stringify(kept)).toString('base64');
    await this.changes.replace(RESOURCES.secrets, { ...there, data: { record } });
  }

  async forget(step: string): Promise<boolean> {
    const there = await this.get(step);
    if (there === undefined) return false;
    const { uid } = there.metadata;
    const { namespace } = this;
    return this.changes.remove(RESOURCES.secrets, { namespace, name: this.nameOf(step), uid });
  }

  private nameOf(step: string): string {
    return `liftlock-object-${hashOf(this.context.upgrade, step)}`;
  }

  private async get(step: string): Promise<RecordSecret | undefined> {
    const found = await this.cluster.get<RecordSecret>(
      RESOURCES.secrets,
      { namespace: this.namespace, name: this.nameOf(step) },
      this.context.signal,
    );
    return found?.metadata.labels?.[LABELS.upgrade] === this.context.upgrade ? found : undefined;
  }
}
