import { createServer, Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { exchange } from './exchange.js';
import { OWED_MS, RateLimit, type RateClock } from './rate-limit.js';

/** Time that passes only when everybody waits: to the end of the shortest wait. */
class FakeClock implements RateClock {
  private time = 5_000;
  private waiting: { readonly until: number; readonly go: () => void }[] = [];

  now(): number {
    return this.time;
  }

  wait(ms: number): Promise<void> {
    return new Promise((go) => {
      this.waiting.push({ until: this.time + ms, go });
      setImmediate(() => this.advance());
    });
  }

  private advance(): void {
    const next = this.waiting.toSorted((a, b) => a.until - b.until)[0];
    if (next === undefined) return;
    this.waiting = this.waiting.filter((one) => one !== next);
    this.time = next.until;
    next.go();
  }
}

test('however many share a limit, and however small the pieces: no more passes than its rate allows', async () => {
  const clock = new FakeClock();
  const rate = 1_000_000;
  const limit = new RateLimit(rate, clock);
  const began = clock.now();
  let passed = 0;
  const transfer = async (pieces: number, size: number): Promise<void> => {
    for (let piece = 0; piece < pieces; piece += 1) {
      await limit.pass(size, undefined);
      passed += size;
      const allowed = (rate * (clock.now() - began + OWED_MS)) / 1_000;
      expect(passed).toBeLessThanOrEqual(allowed + 1);
    }
  };
  await Promise.all([transfer(2_000, 500), transfer(100, 65_536), transfer(3, 4_000_000)]);
  // nor is much less let through than was allowed
  const seconds = passed / rate;
  expect(clock.now() - began).toBeLessThanOrEqual(seconds * 1_000 + OWED_MS);
});

test('bytes of both ways count, for the registry\u2019s own limit and for that of all', async () => {
  const answer = Buffer.alloc(300_000, 'a');
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const agent = new Agent();
  const clock = new FakeClock();
  const began = clock.now();
  const [own, all] = [new RateLimit(1_000_000, clock), new RateLimit(100_000, clock)];
  try {
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const got = await exchange({
      ...{ method: 'PUT', url, agent, stallMs: 60_000, limits: [own, all] },
      body: {
        length: 200_000,
        pump: async ({ write }) => {
          for (let piece = 0; piece < 20; piece += 1) await write(Buffer.alloc(10_000));
        },
      },
    });
    expect((await got.bytes(1_000_000)).byteLength).toBe(answer.byteLength);
    // half a million bytes, at the slower rate of the two
    expect(clock.now() - began).toBeGreaterThanOrEqual(5_000 - OWED_MS);
  } finally {
    agent.destroy();
    server.close();
  }
});
