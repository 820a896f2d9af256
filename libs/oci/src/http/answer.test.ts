import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exchange } from './exchange.js';

let connections = 0;
/** When the rest of a body is sent. */
let left: Promise<void>;
const server = http.createServer((request, response) => {
  const length = Number(request.url?.slice(1));
  response.writeHead(200, { 'content-length': length }).write('x');
  void left.then(() => response.end('x'.repeat(length - 1)));
});
server.on('connection', () => (connections += 1));
let url: URL;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
afterAll(() => void server.close());

test.each([
  ['little is left, is used again', 30_000, 1],
  ['much is left, is ended', 30_000_000, 2],
])('the connection of a body that nobody wants to its end, of which %s', async (_, size, used) => {
  connections = 0;
  const leave = Promise.withResolvers<void>();
  left = leave.promise;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (length: number): ReturnType<typeof exchange> =>
    exchange({
      ...{ method: 'GET', agent, stallMs: 60_000 },
      url: new URL(`/${length}`, url),
    });
  const answer = await ask(size);
  for await (const piece of answer.stream()) {
    expect(piece.byteLength).toBe(1);
    break;
  }
  leave.resolve();
  expect((await (await ask(10)).bytes(10)).byteLength).toBe(10);
  expect(connections).toBe(used);
  agent.destroy();
});
