import { z } from 'zod';
import { parseRecord } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import { LABELS, marks } from './labels.js';
import type { ConfigMap, PodTemplate } from './objects.js';
import { RESOURCES } from './resources.js';

/** A workload as it was before a hop changed anything of it: the way back. */
export interface Kept {
  /** Pods that it was to have; not of a DaemonSet. */
  readonly replicas?: number | undefined;
  readonly template: PodTemplate;
}

const keptText = z.object({
  // of a DaemonSet, as a person may have written it down
  replicas: z.number().int().min(0).nullish(),
  template: z.looseObject({ spec: z.looseObject({ containers: z.array(z.unknown()) }) }),
});

/** @param record as it was written: a template has fields that nobody here knows */
export function keptWorkload(record: unknown): Kept {
  const { replicas } = keptText.parse(record);
  return { ...(record as Kept), replicas: replicas ?? undefined };
}

/** ConfigMaps beside the workloads that they are of, so that whoever can read the cluster can take an upgrade back by hand. */
export class Records<K> {
  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
    private readonly changes: Changes,
    /** Reads what was kept; throws at what is something else. */
    private readonly read: (record: unknown) => K,
  ) {}

  /** @throws LiftlockError `not_empty` where the record is of another upgrade, `drift` where somebody changed it */
  async find(keptName: string): Promise<K | undefined> {
    const found = await this.get(keptName);
    if (found === undefined) return undefined;
    const text = found.data?.['record'] ?? '';
    try {
      return this.read(JSON.parse(text));
    } catch {
      throw new LiftlockError(
        'drift',
        `the record ${keptName} on ${this.cluster.name} does not hold what this upgrade wrote into it: somebody changed it; put it right, ` +
          'or bring back by hand what it is of, and close the upgrade',
        { details: { target: this.cluster.name, record: keptName } },
      );
    }
  }

  /** Before anything is changed. @returns the record that is there: of an attempt that was faster, its own */
  async keep(keptName: string, container: string, kept: K): Promise<K> {
    await this.changes.create(RESOURCES.configMaps, {
      metadata: { ...placeOf(keptName), ...marks(this.context, 'record', container) },
      data: { record: JSON.stringify(kept) },
    });
    return (await this.find(keptName)) ?? kept;
  }

  async forget(keptName: string): Promise<boolean> {
    const found = await this.get(keptName);
    if (found === undefined) return false;
    const { uid } = found.metadata;
    return this.changes.remove(RESOURCES.configMaps, { ...placeOf(keptName), uid });
  }

  private async get(keptName: string): Promise<ConfigMap | undefined> {
    const found = await this.cluster.get<ConfigMap>(
      RESOURCES.configMaps,
      placeOf(keptName),
      this.context.signal,
    );
    const owner = found?.metadata.labels?.[LABELS.upgrade];
    if (found === undefined || owner === this.context.upgrade) return found;
    // by hand, as the runbook says: either may go on where the other one ended
    if (owner === undefined && found.data?.['record'] !== undefined) return found;
    throw new LiftlockError(
      'not_empty',
      `${keptName} on ${this.cluster.name} is ${owner === undefined ? 'no record of an upgrade' : `a record of ${owner}`}, and that is the name of ` +
        'this one’s: see whether that upgrade has ended, delete it, and try again',
      { details: { target: this.cluster.name, record: keptName } },
    );
  }
}

export function placeOf(keptName: string): { readonly namespace: string; readonly name: string } {
  const place = parseRecord(keptName);
  if (place !== undefined) return place;
  throw new LiftlockError(
    'invalid_step',
    `${keptName} names no record of a workload (NAMESPACE/ConfigMap/NAME); make a new plan`,
  );
}
