import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import { Queue, Worker } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { LiftlockError } from '#kernel';
import type { StepQueue } from '#steps';

export interface RedisStepQueueOptions {
  /** `redis://…` */
  readonly url: string;
  /** Executors of one site share their jobs. */
  readonly site: string;
  /** Attempts that this process runs at the same time. */
  readonly concurrency: number;
  /** Milliseconds: a Redis that does not take a job within this time has lost it. Default 2,000. */
  readonly enqueueMs?: number;
}

const ENQUEUE_MS = 2_000;
/** A job whose process is gone is handed to another one after at most this and the interval. */
const LOCK_MS = 10_000;
const STALLED_INTERVAL_MS = 5_000;
/** Between two tries to reach Redis. */
const AGAIN_MS = 250;
const CLOSE_MS = 3_000;

/**
 * Attempts as BullMQ jobs: whichever executor is free takes the next one. A job is a hint and may be lost or come twice: the
 * claim in PostgreSQL decides, and what was lost is enqueued again by the sweeper of the steps' runtime.
 */
export class RedisStepQueue implements StepQueue {
  private readonly logger = new Logger(RedisStepQueue.name);
  private readonly connections: Redis[] = [];
  private readonly queue: Queue;
  private readonly producer: Redis;
  private worker: Worker | undefined;
  private isAway = false;

  constructor(private readonly options: RedisStepQueueOptions) {
    this.producer = this.connect({ maxRetriesPerRequest: 1 });
    this.queue = new Queue(this.name, { connection: this.producer });
    this.queue.on('error', (error) => this.away(error));
  }

  /** Resolves when Redis has it, or has not taken it in time: then the claim waits for the sweeper. */
  async enqueue(key: string): Promise<void> {
    const { enqueueMs = ENQUEUE_MS } = this.options;
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(
          () => reject(new LiftlockError('timeout', `not within ${enqueueMs} ms`)),
          enqueueMs,
        );
      });
      await Promise.race([this.add(key), late]);
    } catch (error) {
      this.away(error);
      this.logger.warn(`${key} is not enqueued; the sweeper will try again`);
    } finally {
      clearTimeout(timer);
    }
  }

  start(run: (key: string) => Promise<void>): void {
    const worker = new Worker(this.name, (job) => run(job.id ?? ''), {
      connection: this.connect({ maxRetriesPerRequest: null }),
      concurrency: this.options.concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_INTERVAL_MS,
      // how often it came counts for nothing here
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      runRetryDelay: AGAIN_MS,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    worker.on('error', (error) => this.away(error));
    this.worker = worker;
  }

  async close(): Promise<void> {
    const { worker } = this;
    const closing = Promise.allSettled([worker?.close(), this.queue.close()]);
    // without Redis neither ends by itself; what runs is the runner's to wait for
    const late = new Promise((resolve) => setTimeout(resolve, CLOSE_MS));
    await Promise.race([closing, late]);
    for (const connection of this.connections) connection.disconnect();
  }

  private async add(key: string): Promise<void> {
    if (this.producer.status !== 'ready') {
      // what cannot be sent is not kept, but at the start: the sweeper sends it again
      if (this.isAway) throw new LiftlockError('unavailable', 'Redis is out of reach');
      await once(this.producer, 'ready');
    }
    // the same attempt is one job, however often it is enqueued
    const options = { jobId: key, attempts: 1, removeOnComplete: true, removeOnFail: true };
    await this.queue.add('attempt', {}, options);
  }

  private get name(): string {
    return `liftlock-steps-${this.options.site}`;
  }

  private connect(more: RedisOptions): Redis {
    const connection = new Redis(this.options.url, { ...more, retryStrategy: () => AGAIN_MS });
    connection.on('error', (error) => this.away(error));
    connection.on('ready', () => {
      if (this.isAway) this.logger.log('Redis is back');
      this.isAway = false;
    });
    this.connections.push(connection);
    return connection;
  }

  /** A Redis that is away is said once, not at each try. */
  private away(error: unknown): void {
    const { message } = LiftlockError.from(error);
    if (this.producer.status === 'ready') {
      this.logger.warn(`Redis: ${message}`);
      return;
    }
    if (this.isAway) return;
    this.isAway = true;
    this.logger.warn(`Redis is out of reach: ${message}`);
  }
}
