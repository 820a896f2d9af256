import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { ActionInput, ActionOutput, DriverName, Observation, StepTarget } from '#contracts';
import type { StepContext } from './step-context.js';

/** One kind of target. Every method looks before it acts: a second run finds the first one's work and says so. */
export interface Driver {
  readonly name: DriverName;
  readonly instances: InstanceDriver;
  readonly files: FileDriver;
  readonly hooks: HookDriver;
  readonly images: ImageDriver;
  readonly data: DataDriver;
  readonly checks: CheckDriver;
  /** Lets go of connections. */
  close(): Promise<void>;
}

export interface ObserveQuery {
  readonly target: StepTarget;
  readonly containers: readonly string[];
  readonly images: ReadonlyArray<{
    readonly reference: string;
    readonly archive?: string | undefined;
  }>;
  /** Of a cluster: what is to be applied, on this machine; left out: nothing. */
  readonly manifests?:
    | ReadonlyArray<{ readonly path: string; readonly namespace: string }>
    | undefined;
  /** Of a cluster: ServiceTemplateChains of k0rdent's; left out: none. */
  readonly chains?:
    | ReadonlyArray<{ readonly namespace: string; readonly name: string }>
    | undefined;
}

/** The executor's part. */
export interface InstanceDriver {
  /** @throws LiftlockError `target_unreachable`, naming the target. */
  observe(query: ObserveQuery, signal: AbortSignal): Promise<Observation>;
  stop(
    context: StepContext,
    input: ActionInput<'instance.stop'>,
  ): Promise<ActionOutput<'instance.stop'>>;
  replace(
    context: StepContext,
    input: ActionInput<'instance.replace'>,
  ): Promise<ActionOutput<'instance.replace'>>;
  stopNew(
    context: StepContext,
    input: ActionInput<'instance.stop-new'>,
  ): Promise<ActionOutput<'instance.stop-new'>>;
  restoreOld(
    context: StepContext,
    input: ActionInput<'instance.restore-old'>,
  ): Promise<ActionOutput<'instance.restore-old'>>;
  removeNew(
    context: StepContext,
    input: ActionInput<'instance.remove-new'>,
  ): Promise<ActionOutput<'instance.remove-new'>>;
  removeOld(
    context: StepContext,
    input: ActionInput<'instance.remove-old'>,
  ): Promise<ActionOutput<'instance.remove-old'>>;
}

/** The executor's part that writes and removes files; secrets in their contents have been resolved by then. */
export interface FileDriver {
  /** @throws LiftlockError `data_missing` where a file cannot be, `not_empty` when there is one that no upgrade wrote. */
  prepare(
    context: StepContext,
    input: ActionInput<'file.prepare'>,
  ): Promise<ActionOutput<'file.prepare'>>;
  write(
    context: StepContext,
    input: ActionInput<'file.write'>,
  ): Promise<ActionOutput<'file.write'>>;
  /** Of what stands at the paths, only what this upgrade wrote goes, and is seen to be gone. */
  remove(
    context: StepContext,
    input: ActionInput<'file.remove'>,
  ): Promise<ActionOutput<'file.remove'>>;
}

/** The executor's part that does what applications ask for besides; secrets have been put in by then. */
export interface HookDriver {
  /** Inside the instance's container. @throws LiftlockError `hook_failed` with what it said. */
  command(
    context: StepContext,
    input: ActionInput<'hook.command'>,
  ): Promise<ActionOutput<'hook.command'>>;
  /** In a container of its own, until it ended; one that an earlier attempt began is found again. */
  job(context: StepContext, input: ActionInput<'hook.job'>): Promise<ActionOutput<'hook.job'>>;
  removeJobs(
    context: StepContext,
    input: ActionInput<'hook.remove-jobs'>,
  ): Promise<ActionOutput<'hook.remove-jobs'>>;
  /** Lines of a text file, all at once. @throws LiftlockError `hook_failed` with what was found in place of them. */
  edit(context: StepContext, input: ActionInput<'hook.edit'>): Promise<ActionOutput<'hook.edit'>>;
  forgetEdits(
    context: StepContext,
    input: ActionInput<'hook.forget-edits'>,
  ): Promise<ActionOutput<'hook.forget-edits'>>;
  /**
   * What is done to objects of a cluster's API: where it is recorded, what was there is kept in the cluster before it is changed.
   * @throws LiftlockError `hook_failed` with what was found, `invalid_step` where the target has no such objects
   */
  object(
    context: StepContext,
    input: ActionInput<'hook.object'>,
  ): Promise<ActionOutput<'hook.object'>>;
  /** What a step kept of objects is there again as it was, and the record is gone; nothing where it kept nothing. */
  objectBack(
    context: StepContext,
    input: ActionInput<'hook.object-back'>,
  ): Promise<ActionOutput<'hook.object-back'>>;
  forgetObjects(
    context: StepContext,
    input: ActionInput<'hook.forget-objects'>,
  ): Promise<ActionOutput<'hook.forget-objects'>>;
}

/** A layer of an image, as its registry has it. */
export interface PackedLayer {
  readonly bytes: number;
  readonly isCompressed: boolean;
  /** Digest of what is unpacked, by which targets know it. */
  readonly diffId: string | undefined;
}

/**
 * The layers, the lowest first, of an image for a platform (in Go's names); undefined where nobody can tell.
 * @param digest of another image of the same registry, `repository@sha256:…`; default: the one that is brought
 */
export type LookUpLayers = (
  platform: { readonly os: string; readonly architecture: string },
  digest?: string,
) => Promise<readonly PackedLayer[] | undefined>;

/** The mirror's part. */
export interface ImageDriver {
  /**
   * @param lookUp what the target would pull; default: nobody can tell
   * @throws LiftlockError `disk_full`, before anything is pulled where that can be told
   */
  prepare(
    context: StepContext,
    input: ActionInput<'image.prepare'>,
    lookUp?: LookUpLayers,
  ): Promise<ActionOutput<'image.prepare'>>;
}

/** One file, folder, link … of a snapshot. */
export interface DataEntry {
  /** Absolute path inside the container; bytes that are not UTF-8 as `\xHH`. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block';
  /** Octal, with setuid, setgid and sticky: `0644`. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since 1970 with nanoseconds: `1700000000.123456789`. */
  readonly mtime: string;
  /** Of a file's content: 64 hex digits. */
  readonly sha256?: string | undefined;
  readonly linkTarget?: string | undefined;
  /** Path of the first of several names of one file, on the others. */
  readonly sameFileAs?: string | undefined;
  /**
   * When anything of it last changed, attributes included, as `mtime` is written. Nobody can set it, so it is never the same after
   * a restore: where it is the same, nothing was touched.
   */
  readonly changed?: string | undefined;
  /** Bytes that a file with holes takes on its disk; not there: it has none. Another file system may need more. */
  readonly allocated?: number | undefined;
  /** `<major>:<minor>` of a device, in decimal. */
  readonly device?: string | undefined;
  /**
   * Extended attributes, access lists among them: name → value as hex digits. Not there: nothing on the service's machine can tell them,
   * and the archive alone has them. What the host itself puts on files (labels of SELinux, IMA, EVM) is no part of it.
   */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

/** How much room data takes, and how much is left. */
export interface DataSpace {
  /** Each disk that holds any of the data. */
  readonly disks: readonly DataDisk[];
  /** Files, folders, links … of the data. */
  readonly entries: number;
  /** Under which names all of what was there is kept aside by a `write` that was not settled yet. */
  readonly keptAside: readonly string[];
}

export interface DataDisk {
  /** Where the data's paths and mounts are on it: the longest one at or above a path tells its disk. */
  readonly places: readonly string[];
  /** Bytes that the data takes on it: holes take nothing, a file with several names is counted once. */
  readonly usedBytes: number;
  readonly freeBytes: number;
}

/** Where data comes from: for the record, nothing is done by it. */
export interface DataOrigin {
  /** Not there: nothing of ours ran on it. */
  readonly image?: {
    /** As a person wrote it. */
    readonly reference: string;
    readonly id: string;
    /** `repository@sha256:…`, of each registry that it is known to come from. */
    readonly digests: readonly string[];
  };
  readonly mounts: ReadonlyArray<{
    readonly destination: string;
    readonly kind: 'volume' | 'bind';
    /** Name of the volume, or path on the host; of a folder what is mounted there: `10.0.0.5:/export:/ (nfs4)`. */
    readonly source: string;
  }>;
}

export interface DataSource {
  readonly container: string;
  readonly containerId: string;
  readonly keptName: string;
  readonly paths: readonly string[];
  /** On the service's machine: then the paths are below it, each with a slash before it. Default: they are inside the container. */
  readonly folder?: string | undefined;
  /** Its archive is not compressed: whoever keeps it finds by itself what it has already, which compression would hide. Default false. */
  readonly plain?: boolean | undefined;
}

/** What only a target can tell of data that is on a folder of the service's machine. */
export interface FolderUse {
  /** As `DataDriver.usedBy`: whatever of the instance runs, and whatever mounts the same share. */
  usedBy(context: StepContext, source: DataSource): Promise<string[]>;
  /** As `DataDriver.isAsLeft`. @param list what lies there now */
  isAsLeft(
    context: StepContext,
    source: DataSource,
    list: () => Promise<readonly DataEntry[]>,
  ): Promise<boolean>;
  /** That runs, or ran, on it. */
  image(context: StepContext, source: DataSource): Promise<DataOrigin['image']>;
}

/** The backup's part: the bytes; what becomes of them is the backup service's business. */
export interface DataDriver {
  /** Not there: data of this target's instances is on no folder of the service's machine. */
  readonly folders?: FolderUse;
  /** Names of what runs and mounts any of the data, whoever started it: nothing is restored unless this is empty. */
  usedBy(context: StepContext, source: DataSource): Promise<string[]>;
  /**
   * Whether the data is certain to be as the old version left it: nothing that this upgrade made in its place was ever started, and nothing
   * wrote to it since the old one ended. False also where nobody can tell, since what was started may have been removed.
   * @throws LiftlockError as `list` does
   */
  isAsLeft(context: StepContext, source: DataSource): Promise<boolean>;
  /** What lies there now, sorted by path. @throws LiftlockError `data_missing` when a path is not there, or an empty folder. */
  list(context: StepContext, source: DataSource): Promise<DataEntry[]>;
  /** How much there is, and how much room is left where it lies; of what is missing there is nothing. */
  space(context: StepContext, source: DataSource): Promise<DataSpace>;
  origin(context: StepContext, source: DataSource): Promise<DataOrigin>;
  /**
   * As `list`, of data that is being written to: what comes and goes meanwhile is no error, and contents are not hashed. `changed` tells whether
   * anything was touched.
   */
  listChanging?(context: StepContext, source: DataSource): Promise<DataEntry[]>;
  /** The data as an archive, compressed unless the source is `plain`; the stream errors when the archiver fails. */
  read(context: StepContext, source: DataSource): Promise<Readable>;
  /** As `read`, where a file that changes while it is read is no error: the archive has what was read of it. */
  readChanging?(context: StepContext, source: DataSource): Promise<Readable>;
  /**
   * Whoever asks for a backup by hand knows a name only: `containerId` of the source is the name, too. Not there: it is data of no container.
   * @throws LiftlockError `drift` when there is none
   */
  look?(
    context: StepContext,
    source: Pick<DataSource, 'container' | 'containerId'>,
  ): Promise<DataHolder>;
  /** Not there: nothing can be paused. */
  readonly pausing?: PauseDriver;
  /**
   * All three in one go, where a driver can do that with less than one after the other: for data that nothing changes meanwhile. The list is
   * there when the archive was read to its end; it says nothing where the archive ended with an error.
   * @param makeRoom awaited before anything is archived; an error of it ends the reading, and is thrown
   * @returns beside archive and list what `makeRoom` gave
   */
  readMeasured?<T>(
    context: StepContext,
    source: DataSource,
    makeRoom: (space: DataSpace) => Promise<T>,
  ): Promise<{
    readonly archive: Readable;
    readonly entries: Promise<DataEntry[]>;
    readonly room: T;
  }>;
  /**
   * As `readMeasured`, where what archives can write to a file of the service's machine by itself: of the archive nothing passes through the
   * service. Its file grows behind the descriptor's position, which tells how much of it is there.
   * @param file open for writing, at the position where the archive is to begin; open until `ended` settles
   */
  readMeasuredInto?<T>(
    context: StepContext,
    source: DataSource,
    file: FileHandle,
    makeRoom: (space: DataSpace) => Promise<T>,
  ): Promise<AtWork & { readonly entries: Promise<DataEntry[]>; readonly room: T }>;
  /**
   * Makes the paths exactly what the archive holds: what came later is removed, or, with a name for it, kept aside where it lies until
   * `settle`. A second attempt under the same name keeps what the first one found. Neither `list` nor `space` counts what is kept aside; as
   * long as it is there nothing can be read: the data is half restored, whatever else is known.
   * @param archive as it was read: of a `plain` source one that is not compressed
   */
  write(
    context: StepContext,
    source: DataSource,
    archive: Readable,
    keepAside?: string,
  ): Promise<void>;
  /**
   * As `write`, where what takes the archive apart can read it from a file of the service's machine by itself.
   * @param archive open for reading, at the position where the archive begins; its position tells how much was read
   * @returns what is there then, as `list` tells it
   */
  writeFrom?(
    context: StepContext,
    source: DataSource,
    archive: FileHandle,
    keepAside?: string,
  ): Promise<DataEntry[]>;
  /** The outcome is known good: removes what was kept aside under these names, and leaves no trace of it. */
  settle(context: StepContext, source: DataSource, keptAside: readonly string[]): Promise<void>;
  /** Name and version of what archives, for the manifest. */
  archiver(
    context: StepContext,
    source: Pick<DataSource, 'plain'>,
  ): Promise<{ format: string; tools: Readonly<Record<string, string>> }>;
}

/** What works by itself. */
export interface AtWork {
  /** When nothing of it is at work any more; rejects unless it ended well. */
  readonly ended: Promise<void>;
  /** Breaks it off: `ended` tells when that is done. */
  readonly end: () => void;
}

/** What has the data, as it is now. */
export interface DataHolder {
  readonly state: 'running' | 'paused' | 'stopped';
  /** Which one it is that has the name; a plan knows it already. */
  readonly containerId: string;
}

/** All processes of a container stand still, and go on as if nothing had been. What is the case already is no error. */
export interface PauseDriver {
  pause(context: StepContext, source: DataSource): Promise<void>;
  /** Nothing where it does not stand still, or is gone. */
  resume(context: StepContext, source: DataSource): Promise<void>;
}

/** The verifier's part. */
export interface CheckDriver {
  /** @throws LiftlockError `drift` when the instance is not as it was planned. */
  assertUnchanged(
    context: StepContext,
    input: ActionInput<'instance.assert-unchanged'>,
  ): Promise<ActionOutput<'instance.assert-unchanged'>>;
  /** @throws LiftlockError `check_failed` at the check's deadline, with what was seen last. */
  check(
    context: StepContext,
    input: ActionInput<'instance.check'>,
  ): Promise<ActionOutput<'instance.check'>>;
}

/** Loads a driver when it is first needed: clients are large. */
export type DriverLoader = () => Promise<Driver>;
