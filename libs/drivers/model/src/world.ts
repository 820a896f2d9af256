import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Every change that the model target can undergo; `snapshot` alone changes nothing and may be seen again. */
export const EFFECTS = [
  'image-prepared',
  'stopped',
  'snapshot',
  'kept-old',
  'started-new',
  'stopped-new',
  'restored',
  'put-back-old',
  'started-old',
  'removed-new',
  'removed-old',
  'file-written',
  'file-removed',
  'hook-done',
  'object-changed',
  'object-put-back',
  'objects-forgotten',
] as const;
export type Effect = (typeof EFFECTS)[number];

const by = {
  /** Counts the lines of one world from 1, without a gap. */
  seq: z.number().int().min(1),
  at: z.string(),
  /** The instance's container name; for `image-prepared` the image's reference. */
  container: z.string(),
  upgrade: z.string(),
  stepId: z.string(),
  token: z.number().int(),
  pid: z.number().int(),
};

const effectLine = z.strictObject({ ...by, effect: z.enum(EFFECTS) });
/** Something that must never happen, with the effect that was tried: tests assert that there is none. */
const violationLine = z.strictObject({ ...by, violation: z.string(), tried: z.enum(EFFECTS) });
export type EffectLine = z.infer<typeof effectLine>;
export type ViolationLine = z.infer<typeof violationLine>;
export const ledgerLine = z.union([effectLine, violationLine]);
export type LedgerLine = z.infer<typeof ledgerLine>;

/** Which attempt did it. */
const mark = z.strictObject({ upgrade: z.string(), stepId: z.string(), token: z.number().int() });
export type Mark = z.infer<typeof mark>;

const modelContainer = z.strictObject({
  containerId: z.string(),
  imageId: z.string(),
  imageReference: z.string(),
  running: z.boolean(),
  /** Name of the volume that it mounts, if any. */
  volume: z.string().optional(),
  /** Whoever stopped it last, if it was a step. */
  stoppedBy: mark.optional(),
  /** Whoever made it, if it was a step: a new version's container. */
  madeBy: mark.optional(),
  /** Of a new version's container: the name that the one before it is kept under. */
  replaces: z.string().optional(),
});
export type ModelContainer = z.infer<typeof modelContainer>;

const modelFile = z.strictObject({
  content: z.string(),
  mtime: z.string(),
  /** Of an ephemeral file: whoever wrote it. */
  writtenFor: mark.optional(),
});

const modelVolume = z.strictObject({
  /** By absolute path inside the container. */
  files: z.record(z.string(), modelFile),
  /** ID of the image that wrote last, or the mark of a job: an older version that is started on it without a restore shows. */
  writtenBy: z.string(),
});
export type ModelVolume = z.infer<typeof modelVolume>;

/** What a step found in place of an object. */
const objectRecord = z.strictObject({
  object: z.string(),
  /** null: there was none. */
  before: z.string().nullable(),
  /** Whether the instance was down: then it is down when the object is put back. */
  whileDown: z.boolean(),
});

/** All that is true of a model target. The ledger is part of it, so that no effect is ever without its line. */
export const modelWorld = z.strictObject({
  /** By their present names, as an engine has them. */
  containers: z.record(z.string(), modelContainer),
  volumes: z.record(z.string(), modelVolume),
  /** Image IDs that are there, with their references. */
  images: z.record(z.string(), z.string()),
  /** Objects of a cluster's API, by `<namespace>/<kind>/<name>`: who changed them last, or how they were at first. */
  objects: z.record(z.string(), z.string()).default({}),
  /** By `<upgrade> <stepId>`. */
  objectRecords: z.record(z.string(), objectRecord).default({}),
  /** Greatest token seen, by `<upgrade> <stepId>`. */
  tokens: z.record(z.string(), z.number().int()),
  /** How often each control rule struck, by its digest. */
  strikes: z.record(z.string(), z.number().int()),
  ledger: z.array(ledgerLine),
});
export type ModelWorld = z.infer<typeof modelWorld>;

/** The ID that an image has on every model target: made from its reference. */
export function modelImageId(reference: string): string {
  return `sha256:${createHash('sha256').update(`model image ${reference}`).digest('hex')}`;
}

/** The ID that a container gets: made from what makes it, so that a run can be told from its ledger. */
export function modelContainerId(...origin: Array<string | number>): string {
  return createHash('sha256').update(origin.join(' ')).digest('hex');
}

/** Path of the file in which each version leaves its mark. */
export const HISTORY_FILE = '/data/history';

/** What a version does when it starts: it changes the data, so that a restore that was left out shows. */
export function migrate(volume: ModelVolume, imageId: string, at: Date): void {
  const before = volume.files[HISTORY_FILE]?.content ?? '';
  volume.files[HISTORY_FILE] = {
    content: `${before}migrated by ${imageId}\n`,
    mtime: mtimeOf(at),
  };
  volume.writtenBy = imageId;
}

const JOB = 'job ';

/** What stands for a job that wrote last. */
export function jobMark(stepId: string): string {
  return `${JOB}${stepId}`;
}

export function wasWrittenByJob({ writtenBy }: ModelVolume): boolean {
  return writtenBy.startsWith(JOB);
}

/** As DataEntry has it: seconds with nanoseconds. */
export function mtimeOf(at: Date): string {
  const ms = at.getTime();
  return `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}000000`;
}
