import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { queryObjects } from 'node:v8';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exchange } from './exchange.js';

const server = http.createServer((request, response) => {
  request.resume().once('end', () => response.end('all of it'));
});
let url: URL;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
afterAll(() => void server.close());

test('of a piece that has been sent nothing stays until the answer comes', async () => {
  const agent = new http.Agent();
  const pieces = 600;
  // more than a connection takes at a time: each is waited for
  const piece = Buffer.alloc(128 * 1024);
  let kept = 0;
  const answer = await exchange({
    ...{ method: 'PUT', url, agent, stallMs: 60_000 },
    body: {
      length: pieces * piece.byteLength,
      async pump(sink) {
        await sink.write(piece);
        const before = queryObjects(Promise, { format: 'count' });
        for (let at = 1; at < pieces; at += 1) await sink.write(piece);
        kept = queryObjects(Promise, { format: 'count' }) - before;
      },
    },
  });
  expect((await answer.bytes(100)).toString()).toBe('all of it');
  expect(kept).toBeLessThan(pieces / 10);
  agent.destroy();
});
