import { createHash } from 'node:crypto';
import type { StepContext } from '#drivers/core';
import type { Engine } from './engine.js';
import { LABELS, marks } from './labels.js';
import { removeRecordVolume, writeRecord } from './record-volume.js';

/** The record that a file at a path of a container's data is ours. */
export interface FileMark {
  /** Name of the empty volume whose labels are the record. */
  readonly volume: string;
  /** ID of the container that it belongs to. */
  readonly containerId: string;
  readonly path: string;
  readonly upgrade: string;
  /** When the file's folder was last changed before the file was written, RFC 3339. */
  readonly folderTime: string | undefined;
}

/**
 * Which ephemeral files were, or may have been, written for a container, by whatever upgrade. The record is written before the file
 * and removed after it, so that a crash at any moment leaves no file without one.
 */
export async function fileMarks(
  engine: Engine,
  context: StepContext,
  containerId: string,
): Promise<FileMark[]> {
  const { Volumes } = await engine.call(
    'looking for the files that upgrades wrote',
    context.signal,
    (docker, options) =>
      docker.listVolumes({
        filters: { label: [`${LABELS.role}=file`, `${LABELS.of}=${containerId}`] },
        ...options,
      }),
  );
  return (Volumes ?? []).flatMap(({ Name, Labels }) => {
    const path = Labels?.[LABELS.path];
    return path === undefined
      ? []
      : [
          {
            volume: Name,
            containerId,
            path,
            upgrade: Labels[LABELS.upgrade] ?? '',
            folderTime: Labels[LABELS.folderTime],
          },
        ];
  });
}

export async function markFile(
  engine: Engine,
  context: StepContext,
  containerId: string,
  path: string,
  folderTime: string,
): Promise<void> {
  await writeRecord(engine, context, {
    name: `liftlock-file-${context.upgrade}-${containerId.slice(0, 12)}-${fileKey(path)}`,
    labels: {
      ...marks(context, 'file', containerId),
      [LABELS.path]: path,
      [LABELS.folderTime]: folderTime,
    },
    what: `writing down that ${path} is ours`,
  });
}

export async function removeFileMarks(
  engine: Engine,
  context: StepContext,
  found: readonly FileMark[],
): Promise<void> {
  for (const { volume, path } of found)
    await removeRecordVolume(engine, context, volume, `removing the record of ${path}`);
}

/** Names a path within one container: 12 hex digits. */
export function fileKey(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 12);
}
