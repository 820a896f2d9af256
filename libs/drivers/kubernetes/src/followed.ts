import { setTimeout as delay } from 'node:timers/promises';
import { LiftlockError } from '#kernel';
import type { Cluster, Selection } from './cluster.js';
import { ApiAnswer, statusOf } from './errors.js';
import type { KubeObject } from './objects.js';
import { linesOf } from './lines.js';
import { pathOf, type Resource } from './resources.js';

/** After so long a server ends a watch, in seconds, and it is begun again: so that one that nobody answers any more is found out. */
const WATCH_SECONDS = 240;
/** A watch that ends sooner is not begun again at once, in milliseconds. */
const SHORT_MS = 1_000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;

interface WatchLine<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

/** Objects of a cluster as they are at any moment, with two requests for as long as they are followed: one list, one watch. */
export class Followed<T extends KubeObject> {
  private items = new Map<string, T>();
  private version = '';
  private readonly ending = new AbortController();
  private readonly waiting = new Set<() => void>();
  private away: LiftlockError | undefined;
  private failed: LiftlockError | undefined;
  private changes = 0;

  private constructor(
    private readonly cluster: Cluster,
    private readonly resource: Resource,
    private readonly selection: Selection,
  ) {}

  /** @throws LiftlockError where they cannot be listed. */
  static async begin<T extends KubeObject>(
    cluster: Cluster,
    resource: Resource,
    selection: Selection,
    signal: AbortSignal,
  ): Promise<Followed<T>> {
    const followed = new Followed<T>(cluster, resource, selection);
    await followed.list(signal);
    void followed.watch();
    return followed;
  }

  /**
   * @throws LiftlockError `target_unreachable` while nobody can tell, and what the server said where it does not let us watch.
   */
  get all(): readonly T[] {
    if (this.failed !== undefined) throw this.failed;
    if (this.away !== undefined) throw this.away;
    return [...this.items.values()];
  }

  /** Grows with each change that was seen. */
  get seenChanges(): number {
    return this.changes;
  }

  /** Calls `done` once, with the next change. @returns what takes that back */
  onChange(done: () => void): () => void {
    this.waiting.add(done);
    return () => this.waiting.delete(done);
  }

  close(): void {
    this.ending.abort();
    this.waiting.clear();
  }

  private async list(signal: AbortSignal): Promise<void> {
    const { metadata, items } = await this.cluster.listed<T>(this.resource, this.selection, signal);
    this.items = new Map(items.map((item) => [item.metadata.uid, item]));
    this.version = metadata.resourceVersion;
    this.changed();
  }

  /** Goes on where it was, until it is closed; where the server does not know that any more, from the beginning. */
  private async watch(): Promise<void> {
    const { signal } = this.ending;
    let waitMs = FIRST_WAIT_MS;
    while (!signal.aborted) {
      try {
        if (this.version === '') await this.list(signal);
        const began = performance.now();
        await this.watchOnce(signal);
        waitMs = FIRST_WAIT_MS;
        if (performance.now() - began < SHORT_MS) await delay(FIRST_WAIT_MS, undefined, { signal });
      } catch (error) {
        if (signal.aborted) return;
        if (statusOf(error) === 410) {
          this.version = '';
          continue;
        }
        const known = LiftlockError.from(error);
        if (known.code === 'target_unreachable') this.away = known;
        else this.failed = known;
        this.changed();
        if (this.failed !== undefined) return;
        await delay(waitMs, undefined, { signal }).catch(() => undefined);
        waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
      }
    }
  }

  private async watchOnce(signal: AbortSignal): Promise<void> {
    const what = `watching ${this.resource.plural}`;
    const { namespace, labels, fields } = this.selection;
    const body = await this.cluster.stream(
      what,
      {
        path: pathOf(this.resource, { namespace }),
        query: {
          watch: true,
          allowWatchBookmarks: true,
          timeoutSeconds: WATCH_SECONDS,
          resourceVersion: this.version,
          labelSelector: labels,
          fieldSelector: fields,
        },
      },
      signal,
    );
    if (this.away !== undefined) {
      this.away = undefined;
      this.changed();
    }
    try {
      for await (const line of linesOf(body)) this.take(JSON.parse(line) as WatchLine<T>);
    } catch (error) {
      // one that is cut off is begun again where it was
      if (error instanceof LiftlockError) throw error;
    } finally {
      body.destroy();
    }
  }

  private take({ type, object }: WatchLine<T>): void {
    if (type === 'ERROR') {
      const {
        code = 500,
        reason = '',
        message = 'the watch ended',
      } = object as unknown as {
        code?: number;
        reason?: string;
        message?: string;
      };
      throw new LiftlockError('target_unreachable', message, {
        cause: new ApiAnswer(code, reason, message),
      });
    }
    this.version = object.metadata.resourceVersion;
    if (type === 'BOOKMARK') return;
    if (type === 'DELETED') this.items.delete(object.metadata.uid);
    else this.items.set(object.metadata.uid, object);
    this.changed();
  }

  private changed(): void {
    this.changes += 1;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const done of waiting) done();
  }
}

/** Waits until one of them changes, and no longer than `atMostMs`. @throws the signal's reason */
export async function nextChange(
  followed: ReadonlyArray<Pick<Followed<KubeObject>, 'onChange'>>,
  atMostMs: number,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    let back: Array<() => void> = [];
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      for (const one of back) one();
      act();
    };
    const aborted = (): void => settle(() => reject(signal.reason as Error));
    const timer = setTimeout(() => settle(resolve), Math.max(0, atMostMs));
    signal.addEventListener('abort', aborted, { once: true });
    back = followed.map((one) => one.onChange(() => settle(resolve)));
  });
}
