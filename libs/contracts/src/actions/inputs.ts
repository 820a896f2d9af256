import { z } from 'zod';
import { dottedName, seconds, sha256 } from '../names.js';
import { plainPath } from './files.js';
import { registryCredentials } from '../documents/mirror.js';
import { commandWork } from './command-work.js';
import { clusterLabels } from '../plan/k0rdent-service.js';

/** Which image: by ID where it is known (`docker image inspect`'s `.Id`), else by a digest reference, never by tag alone. */
export const imageIdentity = z
  .strictObject({
    /** As a person writes it: `name:tag`. For show and for loading; never what a container is made from. */
    reference: z.string().min(1),
    id: sha256.optional(),
    /** `repository@sha256:…` */
    digest: z
      .string()
      .regex(/^.+@sha256:[0-9a-f]{64}$/)
      .optional(),
  })
  .refine(
    (image) => image.id !== undefined || image.digest !== undefined,
    'needs an id or a digest',
  );
export type ImageIdentity = z.infer<typeof imageIdentity>;

/** How data is kept from changing while it is read, the surest first. */
export const dataConsistency = z.enum(['stopped', 'paused', 'running']);
export type DataConsistency = z.infer<typeof dataConsistency>;

/** What keeps a backup's archive: a file of its own, or restic, which writes what it has already only once. */
export const dataEngine = z.enum(['archive', 'restic']);
export type DataEngine = z.infer<typeof dataEngine>;

/**
 * What the application does around the reading of its data, by commands in its container: dump, or freeze and thaw. They are run by the backup
 * service, and get secrets as any hook does.
 */
export const snapshotHooks = z
  .strictObject({
    before: commandWork.optional(),
    /** Runs once `before` has begun, however the reading ends, also after a crash of the service; more than once where it failed. */
    after: commandWork.optional(),
    /** Seconds that each of them may take; default 300. */
    timeoutSeconds: z.number().min(1).max(3_600).default(300),
  })
  .refine(
    ({ before, after }) => before !== undefined || after !== undefined,
    'needs a command before or after',
  );
export type SnapshotHooks = z.infer<typeof snapshotHooks>;

const instance = {
  /**
   * The container's name: before, and again after, the upgrade. Of a workload `<namespace>/<kind>/<name>`, with `/<container>` where the
   * documents name one of its pods' containers; of a service that k0rdent deploys, as `serviceText` writes it.
   */
  container: z.string().min(1),
  /**
   * ID of the container that was observed when the plan was made; in a later hop `madeBy` the step that makes it. Of a workload its UID, which is
   * the same in all hops.
   */
  containerId: z.string().min(1),
};

/**
 * Of a service that k0rdent deploys: the ServiceTemplateChain that allows the change, and takes the place of another one there; left out: whichever
 * is attached.
 */
const chain = dottedName.optional();

/** Of a workload: it is not stopped before, since its platform takes old pods away as new ones come. Not there: it has stopped. */
const rolling = z.literal(true).optional();

export const assertUnchangedInput = z.strictObject({
  ...instance,
  /** Of a container. */
  imageId: sha256.optional(),
  /** Of a workload: the image as its template names it, since pods come and go, and their image comes from it. */
  imageReference: z.string().min(1).optional(),
  running: z.boolean(),
});

export const prepareImageInput = z.strictObject({
  image: imageIdentity,
  /** A `docker save` tar on the service's host; without it the image is there already or is pulled by digest. */
  archive: z.string().optional(),
  /** On a cluster: the workloads that will run it. Their nodes pull it, as these workloads' pods would. */
  workloads: z.array(z.string().min(1)).optional(),
  /** What the registry that it is pulled from is reached with; of use to the engine are user name and password. */
  credentials: registryCredentials.optional(),
});

export const stopInput = z.strictObject({
  ...instance,
  /** Of a workload: the record of how it was, which is written before anything is changed. */
  keptName: z.string().min(1).optional(),
  /** Seconds between the stop signal and SIGKILL; default: the container's own, else 10. */
  stopTimeoutSeconds: seconds.optional(),
});

export const replaceInput = z.strictObject({
  ...instance,
  image: imageIdentity,
  /** Name that the old container, or a record of how a workload was, is kept under until the bake ends. */
  keptName: z.string().min(1),
  rolling,
  chain,
  /** Of a service that a MultiClusterService deploys: in clusters of its selector that have these labels, too; left out: in all of them. */
  clusters: clusterLabels.optional(),
  /** Environment variables that the new version wants otherwise; null removes one. */
  env: z.record(z.string(), z.string().nullable()).default({}),
  command: z.array(z.string()).optional(),
});

export const stopNewInput = z.strictObject({
  ...instance,
  keptName: z.string().min(1),
  stopTimeoutSeconds: seconds.optional(),
});

export const restoreOldInput = z.strictObject({
  ...instance,
  keptName: z.string().min(1),
  /** Whether it ran when the plan was made: what was stopped stays stopped. A workload gets as many pods as its record says, or none. */
  start: z.boolean(),
  rolling,
  chain,
});

export const removeNewInput = z.strictObject({ ...instance, keptName: z.string().min(1) });
export const removeOldInput = z.strictObject({ ...instance, keptName: z.string().min(1) });

const dataSource = {
  ...instance,
  keptName: z.string().min(1),
  /** Absolute paths inside the container; with `folder` below that. */
  paths: z.array(z.string().startsWith('/')).min(1),
  /** On the backup service's machine, absolute: a share that it has mounted, too. Left out: the data is in the container. */
  folder: plainPath.optional(),
  /**
   * Name of the backup: the same for the snapshot and its restore, made by the planner. Unique within one upgrade only, since a plan
   * does not know its upgrade: the backup service puts the upgrade's id before it.
   */
  backup: z.string().regex(/^[\w@.-]{1,200}$/),
  /** Whether a restore keeps what it finds until its outcome is known good; default true. */
  keepAside: z.boolean().optional(),
};

export const snapshotInput = z.strictObject({
  ...dataSource,
  /**
   * `stopped`: refused while anything that mounts the data runs. `paused`: the container stands still while it is read, and nothing else that
   * mounts the data may run. `running`: taken as it is, and marked so.
   */
  consistency: dataConsistency,
  hooks: snapshotHooks.optional(),
  /** Default `archive`. */
  engine: dataEngine.optional(),
});
export const restoreInput = z.strictObject(dataSource);

export const backupOutput = z.object({
  backup: z.string(),
  location: z.string(),
  files: z.number().int().min(0),
  bytes: z.number().int().min(0),
  archiveBytes: z.number().int().min(0),
  archiveSha256: sha256,
  /** What a person should know of it. */
  warnings: z.array(z.string()).optional(),
});
export const instanceOutput = z.object({
  containerId: z.string().optional(),
  found: z.enum(['done_before', 'done_now', 'nothing_to_do']),
});
export const imageOutput = z.object({
  imageId: z.string(),
  found: z.enum(['done_before', 'done_now']),
});
export const checkOutput = z.object({ looks: z.number().int().min(1), detail: z.string() });
export const nothing = z.object({});
