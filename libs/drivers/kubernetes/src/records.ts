import { z } from 'zod';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import { instanceTitle, type InstanceName } from './instance.js';
import { hashOf, LABELS, marks } from './labels.js';
import type { ConfigMap, PodTemplate } from './objects.js';
import { RESOURCES } from './resources.js';

/** A workload as it was before this hop changed it: the way back. */
export interface Kept {
  /** Not of a DaemonSet. */
  readonly replicas?: number | undefined;
  readonly template: PodTemplate;
}

/** How many pods a workload had when this upgrade stopped it. */
export interface Held {
  /** Not of a DaemonSet. */
  readonly replicas?: number | undefined;
}

const keptText = z.object({
  replicas: z.number().int().min(0).optional(),
  template: z.looseObject({ spec: z.looseObject({ containers: z.array(z.unknown()) }) }),
});
const heldText = z.object({ replicas: z.number().int().min(0).optional() });

/**
 * What is written down of an instance before anything of it is changed: ConfigMaps in its namespace, so that whoever reads the cluster can
 * take it back. `kept` is of one hop, by the name that the plan keeps it under, and goes when nothing leads back there any more. `held` is of
 * one stop, and goes when the instance was started again.
 */
export class Records {
  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
    private readonly changes: Changes,
    private readonly instance: InstanceName,
  ) {}

  static nameOfKept({ upgrade }: Pick<StepContext, 'upgrade'>, keptName: string): string {
    return `liftlock-${hashOf(upgrade, keptName)}`;
  }

  async kept(keptName: string): Promise<Kept | undefined> {
    const text = await this.read(Records.nameOfKept(this.context, keptName));
    return text === undefined ? undefined : this.parse<Kept>(keptText, text);
  }

  async keep(keptName: string, kept: Kept): Promise<Kept> {
    const name = Records.nameOfKept(this.context, keptName);
    await this.write(name, 'kept', kept);
    // of an attempt that was faster, the record is the one that counts
    return (await this.kept(keptName)) ?? kept;
  }

  async held(): Promise<Held | undefined> {
    const text = await this.read(this.heldName);
    return text === undefined ? undefined : this.parse<Held>(heldText, text);
  }

  async hold(held: Held): Promise<Held> {
    await this.write(this.heldName, 'held', held);
    return (await this.held()) ?? held;
  }

  async forgetHeld(): Promise<boolean> {
    return this.remove(this.heldName);
  }

  async forgetKept(keptName: string): Promise<boolean> {
    return this.remove(Records.nameOfKept(this.context, keptName));
  }

  private get title(): string {
    return instanceTitle(this.instance);
  }

  private get heldName(): string {
    return `liftlock-held-${hashOf(this.context.upgrade, this.title)}`;
  }

  private async read(name: string): Promise<string | undefined> {
    const { namespace } = this.instance;
    const found = await this.cluster.get<ConfigMap>(
      RESOURCES.configMaps,
      { namespace, name },
      this.context.signal,
    );
    if (found === undefined) return undefined;
    if (found.metadata.labels?.[LABELS.upgrade] !== this.context.upgrade)
      throw this.unusable(name, 'is not of this upgrade');
    return found.data?.['record'] ?? '';
  }

  private async write(name: string, role: 'kept' | 'held', record: Kept | Held): Promise<void> {
    const { namespace } = this.instance;
    await this.changes.create(RESOURCES.configMaps, {
      metadata: { name, namespace, ...marks(this.context, role, this.title) },
      data: { record: JSON.stringify(record) },
    });
  }

  private async remove(name: string): Promise<boolean> {
    const { namespace } = this.instance;
    const found = await this.cluster.get<ConfigMap>(
      RESOURCES.configMaps,
      { namespace, name },
      this.context.signal,
    );
    if (found === undefined) return false;
    const { uid } = found.metadata;
    return this.changes.remove(RESOURCES.configMaps, { namespace, name, uid });
  }

  /** As it was written: a template has fields that nobody here knows. */
  private parse<T>(schema: z.ZodType, text: string): T {
    try {
      const value: unknown = JSON.parse(text);
      schema.parse(value);
      return value as T;
    } catch {
      throw this.unusable(
        `of ${this.title}`,
        'does not hold what this upgrade wrote into it',
      );
    }
  }

  private unusable(name: string, why: string): LiftlockError {
    return new LiftlockError(
      'drift',
      `the record ${name} in ${this.instance.namespace} on ${this.cluster.name} ${why}: somebody changed it; put it right by hand, ` +
        'or bring the workload back yourself and close the upgrade',
      { details: { target: this.cluster.name, namespace: this.instance.namespace } },
    );
  }
}
