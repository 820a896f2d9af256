import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { LiftlockError } from '#kernel';
import { PassedBytes } from '../passed-bytes.js';
import type { StoredArchive } from '../store.js';
import { isLocked, isWrongPassword } from './restic-errors.js';
import { RESTIC_FROM_BACKUP, type ResticPlace } from './restic-place.js';
import { ResticProcess } from './restic-process.js';

/** How restic is started, and what opens its repositories. */
export interface ResticAccess {
  /** Where it is on this machine. @throws LiftlockError `misconfigured` when it is not there */
  readonly program: () => Promise<string>;
  /** @throws LiftlockError `misconfigured` when nobody says it */
  readonly password: () => Promise<string>;
  /** To the password, for messages. */
  readonly reference: string;
  /** Folder for what it keeps of a repository that is far away. */
  readonly cacheFolder: string;
  /** Milliseconds for which a repository is waited for that another process holds alone, and between two looks. */
  readonly patience?: { readonly forMs: number; readonly everyMs: number };
}

/** Of what makes the archives' place in restic known to a person, and to whoever looks for what was left. */
export interface ResticTags {
  readonly upgrade: string;
  readonly backup: string;
  readonly environment: string;
  readonly application: string;
}

export interface ResticSnapshot {
  readonly id: string;
  readonly time: Date;
  readonly tags: readonly string[];
}

const PATIENCE = { forMs: 300_000, everyMs: 2_000 };
/** Of restic's format: with it chunks are compressed. */
const FORMAT = '2';
/** Bytes that are rewritten at most while nobody else can use the repository. */
const MOST_REPACKED = '2G';

const summary = z.object({
  message_type: z.literal('summary'),
  snapshot_id: z.string(),
  data_added: z.number(),
  total_bytes_processed: z.number(),
});
const listed = z.array(
  z.object({ id: z.string(), time: z.string(), tags: z.array(z.string()).optional() }),
);

/** Archives of one application in a repository of restic: each the one file of a snapshot. */
export class ResticArchives {
  constructor(
    readonly place: ResticPlace,
    private readonly access: ResticAccess,
  ) {}

  /** That there is a repository. */
  async isThere(): Promise<boolean> {
    return (await this.place.read('config')) !== undefined;
  }

  /** Makes it. Two at once would make a ruin: callers see to it that one does. */
  async make(signal: AbortSignal): Promise<void> {
    if (await this.isThere()) return;
    if ((await this.place.names('snapshots')).length > 0)
      throw new LiftlockError(
        'data_corrupt',
        `${this.place.repository}/config is gone, and snapshots are there: put it back from a copy, nothing was touched`,
      );
    await this.said(['init', '--repository-version', FORMAT], signal);
  }

  /**
   * That it can be used now, and the password opens it.
   * @throws LiftlockError `misconfigured`, naming the reference, for another password; `data_corrupt` for a damaged key
   */
  async assertOpens(signal: AbortSignal): Promise<void> {
    await this.said(['cat', 'config'], signal);
  }

  /** @returns what the manifest is to say of it; what restic has of it already is not written again */
  async write(
    file: string,
    archive: Readable,
    { upgrade, backup, environment, application }: ResticTags,
    signal: AbortSignal,
    onBytes: (bytes: number) => void = () => undefined,
  ): Promise<StoredArchive> {
    const tags = ['--tag', `upgrade=${upgrade},backup=${backup}`];
    const named = ['--stdin', '--stdin-filename', file, '--host', `${environment}/${application}`];
    const process = await this.start(['backup', '--json', ...named, ...tags], signal);
    const ending = lastSummary(process.output);
    ending.catch(() => undefined);
    const passed = new PassedBytes();
    try {
      for await (const chunk of archive as AsyncIterable<Buffer>) {
        passed.add(chunk);
        if (!(await process.take(chunk))) break;
        onBytes(chunk.length);
      }
      signal.throwIfAborted();
      process.endInput();
      await this.explained(() => process.ended());
    } catch (error) {
      // before its input ends: what came so far must not pass for all of it
      await process.end();
      archive.destroy();
      throw error;
    }
    const { snapshot_id, data_added, total_bytes_processed } = await ending;
    const snapshot = (await this.place.names('snapshots')).find((id) => id.startsWith(snapshot_id));
    if (snapshot === undefined || total_bytes_processed !== passed.bytes)
      throw new LiftlockError(
        'unavailable',
        `restic has ${total_bytes_processed} of ${passed.bytes} bytes as ${snapshot_id} in ${this.place.repository}: it is tried again`,
      );
    const restic = { repository: RESTIC_FROM_BACKUP, snapshot, addedBytes: data_added };
    return { file, ...passed.end(), restic };
  }

  /** The stream ends with an error unless all of it came; the hash is the caller's to compare. */
  read(snapshot: string, file: string, signal: AbortSignal): Readable {
    return Readable.from(this.dumped(snapshot, file, signal), { objectMode: false });
  }

  /** Whether there is such a snapshot; what it holds is not read. */
  async has(snapshot: string): Promise<boolean> {
    return (await this.place.names('snapshots')).includes(snapshot);
  }

  async snapshots(signal: AbortSignal): Promise<ResticSnapshot[]> {
    const found = listed.parse(JSON.parse(await this.said(['snapshots', '--json'], signal)));
    return found.map(({ id, time, tags = [] }) => ({ id, time: new Date(time), tags }));
  }

  /** What is gone already is no error. The room comes back by `prune`. */
  async forget(snapshots: readonly string[], signal: AbortSignal): Promise<void> {
    const names = await this.place.names('snapshots');
    const there = snapshots.filter((id) => names.includes(id));
    if (there.length > 0) await this.said(['forget', ...there], signal);
  }

  /**
   * Gives back the room of what no snapshot needs, and of what killed ones left. Nobody else can use the repository meanwhile.
   * @returns false when somebody does: nothing was done
   */
  async prune(signal: AbortSignal): Promise<boolean> {
    try {
      await this.once(['prune', '--max-repack-size', MOST_REPACKED], signal);
      return true;
    } catch (error) {
      if (isLocked(error)) return false;
      throw error;
    }
  }

  /** Removes locks of processes that are no more: of this machine's at once, of others when they are half an hour old. */
  async unlock(signal: AbortSignal): Promise<void> {
    await this.once(['unlock'], signal);
  }

  private async *dumped(
    snapshot: string,
    file: string,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const until = this.deadline();
    for (;;) {
      const process = await this.start(['dump', snapshot, `/${file}`], signal);
      process.endInput();
      let hasBegun = false;
      try {
        for await (const chunk of process.output as AsyncIterable<Buffer>) {
          hasBegun = true;
          yield chunk;
        }
        await this.explained(() => process.ended());
        return;
      } catch (error) {
        if (hasBegun || !(await this.isWorthWaiting(error, until, signal))) throw error;
      } finally {
        await process.end();
      }
    }
  }

  /** As `once`; waits where another process holds the repository for itself. */
  private async said(args: readonly string[], signal: AbortSignal): Promise<string> {
    const until = this.deadline();
    for (;;) {
      try {
        return await this.once(args, signal);
      } catch (error) {
        if (!(await this.isWorthWaiting(error, until, signal))) throw error;
      }
    }
  }

  private deadline(): number {
    return performance.now() + (this.access.patience ?? PATIENCE).forMs;
  }

  private async isWorthWaiting(
    error: unknown,
    until: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (!isLocked(error) || performance.now() > until) return false;
    await this.unlock(signal);
    await delay((this.access.patience ?? PATIENCE).everyMs, undefined, { signal });
    return true;
  }

  private async once(args: readonly string[], signal: AbortSignal): Promise<string> {
    const process = await this.start(args, signal);
    return this.explained(() => process.said());
  }

  private async start(args: readonly string[], signal: AbortSignal): Promise<ResticProcess> {
    const { access, place } = this;
    const env = {
      ...(await place.environment()),
      RESTIC_PASSWORD: await access.password(),
      RESTIC_CACHE_DIR: access.cacheFolder,
      // its progress is for terminals
      RESTIC_PROGRESS_FPS: '0.1',
    };
    return new ResticProcess({
      ...{ program: await access.program(), env, signal },
      args: ['--repo', place.repository, ...place.options, ...args],
      what: `restic ${args[0]} in ${place.repository}`,
    });
  }

  /** A wrong password told from a key that is damaged: keys are files that are named for the hash of their content. */
  private async explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const isItsPassword = isWrongPassword(error);
      if (!isItsPassword && LiftlockError.from(error).code !== 'data_corrupt') throw error;
      const { place, access } = this;
      const keys = await place.names('keys');
      for (const key of keys) {
        const content = await place.read(`keys/${key}`);
        if (content === undefined || sha256Of(content) === key) continue;
        throw new LiftlockError(
          'data_corrupt',
          `${place.repository}/keys/${key} is not as it was written: put it back from a copy; nothing was touched`,
          { cause: error },
        );
      }
      if (!isItsPassword) throw error;
      const [code, problem] =
        keys.length === 0
          ? (['data_corrupt', 'its keys are gone: put them back from a copy'] as const)
          : ([
              'misconfigured',
              `what ${access.reference} stands for does not open it: it was made with another password`,
            ] as const);
      throw new LiftlockError(code, `${place.repository}: ${problem}; nothing was touched`, {
        cause: error,
        details: { reference: access.reference },
      });
    }
  }
}

/** The last thing that restic says when all of it is there. */
async function lastSummary(output: Readable): Promise<z.infer<typeof summary>> {
  let rest = '';
  let last: string | undefined;
  for await (const chunk of output as AsyncIterable<Buffer>) {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    last = lines.findLast((line) => line.includes('"summary"')) ?? last;
  }
  return summary.parse(JSON.parse(last ?? rest));
}

function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
