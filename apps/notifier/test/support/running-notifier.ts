import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { freePort } from '#fleet';
import { waitFor } from '#kernel';
import type { DeliveryPolicy } from '../../src/domain/delivery-policy.js';
import type { FreshDatabase, FreshNats } from '../../../../test/support/index.js';

/** Of this test run: what one notifier has translated from TypeScript serves all that come after it. */
function translated(): string {
  const folder = join(inject('servers').folder, 'notifier-translated');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Tries again sooner than the product. A try and a claim hold longer than any machine stands still: where one has to end by itself,
 * a test asks for a shorter one.
 */
export const QUICK: DeliveryPolicy = {
  maxAttempts: 4,
  backoffMs: 100,
  maxBackoffMs: 1_000,
  timeoutMs: 60_000,
  leaseMs: 120_000,
  pollMs: 50,
};

/** The service as a process of its own, with all that it writes. */
export class RunningNotifier {
  private text = '';

  private constructor(
    private readonly child: ChildProcess,
    private readonly port: number,
  ) {
    child.stdout?.on('data', (chunk: Buffer) => (this.text += chunk.toString('utf8')));
    child.stderr?.on('data', (chunk: Buffer) => (this.text += chunk.toString('utf8')));
  }

  /** Launches it; it does not work yet. */
  static async launch(
    nats: FreshNats,
    database: FreshDatabase,
    secrets: Readonly<Record<string, string>>,
    policy: DeliveryPolicy = QUICK,
  ): Promise<RunningNotifier> {
    const { user, pass } = nats.user('notifier');
    const port = await freePort();
    const child = spawn(
      process.execPath,
      [
        '--conditions=source',
        '--no-warnings',
        '--import',
        new URL('./typescript-hook.mjs', import.meta.url).href,
        fileURLToPath(new URL('./notifier-child.ts', import.meta.url)),
        JSON.stringify(policy),
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env.PATH,
          TRANSLATED: translated(),
          DATABASE_URL: database.url('notifier'),
          NATS_URL: nats.url,
          NATS_USER: user,
          NATS_PASSWORD: pass,
          PORT: String(port),
          LIFTLOCK_LOG_LEVEL: 'trace',
          ...secrets,
        },
      },
    );
    return new RunningNotifier(child, port);
  }

  /** Waits until it works. */
  async ready(): Promise<void> {
    await waitFor(
      async () => {
        if (this.hasEnded()) throw new Error('it has ended');
        return (await fetch(`http://127.0.0.1:${this.port}/health/ready`)).ok;
      },
      { what: 'the notifier', deadlineMs: 60_000 },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${this.text}`);
    });
  }

  get log(): string {
    return this.text;
  }

  /** What is in the database may not have been said yet. */
  async untilSaid(what: string | RegExp): Promise<void> {
    await waitFor(
      () => (typeof what === 'string' ? this.text.includes(what) : what.test(this.text)),
      {
        what: `the notifier's log to say ${String(what)}`,
        deadlineMs: 60_000,
      },
    );
  }

  /** Now: nothing of it comes to an end. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** As an operator does. @returns its exit code. */
  async stop(): Promise<number | null> {
    await this.end('SIGTERM');
    return this.child.exitCode;
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    if (this.hasEnded()) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }

  private hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}
