import { createHash } from 'node:crypto';
import type { StepContext } from '#drivers/core';
import { orMissing, type Engine } from './engine.js';
import { LABELS, marks } from './labels.js';
import { removeRecordVolume, writeRecord } from './record-volume.js';

/** Whose it is that a file is as a step wants it: the labels of an empty volume. */
export interface EditRecord {
  /** `us`: the step changed it, or was about to. `others`: it was so before, and stays. */
  readonly by: 'us' | 'others';
  /** Whose mounts the helper had that changed it. */
  readonly containerId: string;
}

/** What was written down of a step of this upgrade. */
export async function editRecord(
  engine: Engine,
  context: StepContext,
  step: string,
): Promise<EditRecord | undefined> {
  const found = await orMissing(
    engine.call('looking for the record of an edit', context.signal, (docker, options) =>
      docker.getVolume(nameOfRecord(context, step)).inspect({ ...options }),
    ),
  );
  if (found?.Labels?.[LABELS.role] !== 'edit') return undefined;
  return {
    by: found.Labels[LABELS.edit] === 'found' ? 'others' : 'us',
    containerId: found.Labels[LABELS.of] ?? '',
  };
}

export async function recordEdit(
  engine: Engine,
  context: StepContext,
  containerId: string,
  path: string,
  by: EditRecord['by'],
): Promise<void> {
  await writeRecord(engine, context, {
    name: nameOfRecord(context, context.stepId),
    labels: {
      ...marks(context, 'edit', containerId),
      [LABELS.path]: path,
      [LABELS.edit]: by === 'us' ? 'made' : 'found',
    },
    what: `writing down who changed ${path}`,
  });
}

/** @returns whether there was one. */
export function forgetEdit(engine: Engine, context: StepContext, step: string): Promise<boolean> {
  const name = nameOfRecord(context, step);
  return removeRecordVolume(engine, context, name, `removing the record of ${step}`);
}

function nameOfRecord({ upgrade }: StepContext, step: string): string {
  return `liftlock-edit-${upgrade}-${createHash('sha256').update(step).digest('hex').slice(0, 12)}`;
}
