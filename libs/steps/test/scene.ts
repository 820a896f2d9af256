import { vi } from 'vitest';
import { LiftlockError, waitFor } from '#kernel';
import type { StepContext } from '#drivers/core';
import { UnitOfWork } from '#persistence';
import { ClaimStore, type ClaimState } from '../src/claim.store.js';
import {
  runStep,
  Sent,
  startMirror,
  type Action,
  type Finished,
  type Mirror,
  type MirrorOptions,
} from './mirror-under-test.js';

interface ClaimRow {
  readonly token: number;
  readonly state: ClaimState;
  readonly busy: boolean;
  readonly began: boolean;
}
interface Told {
  readonly id: string;
  readonly data: Finished;
}

/** Processes of one service over one database, and what the coordinator has heard of them. */
export class Scene {
  private readonly mirrors: Mirror[] = [];
  private readonly sent = new Sent();

  constructor(private readonly url: string) {}

  async start(action: Action, options?: MirrorOptions): Promise<Mirror> {
    const mirror = await startMirror(this.url, this.sent, action, options);
    this.mirrors.push(mirror);
    return mirror;
  }

  /** Ends all processes; what they told stays. */
  async close(): Promise<void> {
    await Promise.all(this.mirrors.map((mirror) => mirror.close()));
  }

  finished(upgrade: string): Told[] {
    return this.told(upgrade, 'step-finished');
  }

  started(upgrade: string): Told[] {
    return this.told(upgrade, 'step-started');
  }

  /** Token and outcome of each result, in the order in which they were sent. */
  outcomes(upgrade: string): Array<readonly [number, Finished['result']['outcome']]> {
    return this.finished(upgrade).map(({ data }) => [data.token, data.result.outcome] as const);
  }

  async untilFinished(upgrade: string, count = 1): Promise<Told[]> {
    await until(`${count} results`, () => this.finished(upgrade).length >= count || undefined);
    return this.finished(upgrade);
  }

  private told(upgrade: string, name: string): Told[] {
    return this.sent.messages
      .filter((message) => message.name === name)
      .map(({ id, data }) => ({ id, data: data as Finished }))
      .filter(({ data }) => data.upgrade === upgrade);
  }
}

export async function claimOf(mirror: Mirror, upgrade: string): Promise<ClaimRow> {
  const [row] = await mirror.source.query<ClaimRow[]>(
    `SELECT token, state, busy_owner IS NOT NULL AND busy_until > now() AS busy, began FROM claims WHERE upgrade = $1`,
    [upgrade],
  );
  if (row === undefined) throw new Error(`${upgrade} has no claim`);
  return row;
}

/** As PostgreSQL sees it after the owner has been silent for long enough. */
export async function endLease(mirror: Mirror, upgrade: string): Promise<void> {
  await mirror.source.query(
    `UPDATE claims SET busy_until = now() - interval '1 second' WHERE upgrade = $1`,
    [upgrade],
  );
}

/** A claim without a job. */
export async function acceptOnly(mirror: Mirror, upgrade: string): Promise<void> {
  await mirror
    .get(UnitOfWork)
    .run((tx) => mirror.get(ClaimStore).insert(tx, runStep(upgrade, 1), 'accepted'));
}

/** Claims as a process does that is killed right after. */
export async function claimAndDie(mirror: Mirror, upgrade: string): Promise<void> {
  await acceptOnly(mirror, upgrade);
  await mirror
    .get(UnitOfWork)
    .run((tx) => mirror.get(ClaimStore).begin(tx, runStep(upgrade, 1), 'own_dead', 600_000));
}

/** Until a transaction waits for a row or table that another one holds. */
export async function untilBlocked(mirror: Mirror): Promise<void> {
  await until('a transaction to wait for another one', async () => {
    const [row] = await mirror.source.query<Array<{ waiting: boolean }>>(
      // of this database only: other tests use the same server
      `SELECT count(*) > 0 AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event <> 'advisory'`,
    );
    return row?.waiting === true || undefined;
  });
}

export async function codeOf(thrower: Promise<unknown>): Promise<string> {
  return thrower.then(
    () => 'nothing was thrown',
    (error: unknown) => LiftlockError.from(error).code,
  );
}

/** A place in a step where a test holds it. */
export class Barrier {
  private open: (() => void) | undefined;
  readonly passed: Promise<void>;

  constructor() {
    this.passed = new Promise((resolve) => (this.open = resolve));
  }

  release(): void {
    this.open?.();
  }
}

/** An action that may change things, is held for each token until the test lets it go, deaf to its signal, and then asks its guard. */
export class HeldAction {
  readonly contexts = new Map<number, StepContext>();
  /** What the guard said when the token was let go. */
  readonly guards = new Map<number, string>();
  private readonly barriers = new Map<number, Barrier>();

  readonly action: Action = async (context) => {
    await context.guard();
    this.contexts.set(context.token, context);
    await this.barrier(context.token).passed;
    this.guards.set(context.token, await codeOf(context.guard()));
  };

  release(token: number): void {
    this.barrier(token).release();
  }

  untilAt(token: number): Promise<StepContext> {
    return until(`token ${token} at work`, () => this.contexts.get(token));
  }

  private barrier(token: number): Barrier {
    const barrier = this.barriers.get(token) ?? new Barrier();
    this.barriers.set(token, barrier);
    return barrier;
  }
}

/** A step's time, in seconds, that ends only when the test says so. */
export class HeldTime implements Disposable {
  /** Like no other wait, so that it is known by it. */
  readonly seconds = 86_399;
  private readonly ends: Array<() => void> = [];
  private readonly spy: { mockRestore(): void };

  constructor() {
    const { setTimeout } = globalThis;
    const held = (act: () => void, ms?: number): NodeJS.Timeout => {
      if (ms === this.seconds * 1000) this.ends.push(act);
      return setTimeout(act, ms);
    };
    this.spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(held as typeof setTimeout);
  }

  /** Ends the time of each attempt that has begun. */
  end(): void {
    for (const end of this.ends.splice(0)) end();
  }

  [Symbol.dispose](): void {
    this.spy.mockRestore();
  }
}

const aborted = new Set<string>();
const waiting = new Set<string>();

/**
 * An action that may change things, waits for its signal, and then stops as it is told. It waits from its beginning on: a guard that
 * refuses has told it so, and one that cannot ask, or is asked too late, does not keep it from hearing.
 */
export const obedient: Action = async ({ upgrade, signal, guard }) => {
  const told = new Promise<never>((_resolve, reject) => {
    const stop = (): void => {
      aborted.add(upgrade);
      reject(LiftlockError.from(signal.reason));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
  waiting.add(upgrade);
  await Promise.all([told, guard().catch(() => told)]);
};

/** Until an obedient action has begun to wait. */
export async function untilWaiting(upgrade: string): Promise<void> {
  await until(`${upgrade} to wait`, () => waiting.has(upgrade) || undefined);
}

/** Until an obedient action has been told to stop. */
export async function untilAborted(upgrade: string): Promise<void> {
  await until(`${upgrade} to be told to stop`, () => aborted.has(upgrade) || undefined);
}

export async function until<T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const found = await waitFor(async () => (await look()) ?? undefined, {
    what,
    deadlineMs: 60_000,
    everyMs: 5,
  });
  return found as NonNullable<T>;
}
