import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../api/client.js';
import { estimateLine } from './preview.js';

let server: Server;
let client: ApiClient;
let answer: { status: number; body: object };
beforeAll(async () => {
  server = createServer((_request, response) => {
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new ApiClient({ url, token: 'x' }, new AbortController().signal);
});
afterAll(() => void server.close());

const line = (status: number, body: object): Promise<string> => {
  answer = { status, body };
  return estimateLine(client, `sha256:${'a'.repeat(64)}`);
};

describe('how long a plan may take', () => {
  it('is told with what it is told from', async () => {
    const told = { seconds: 251.5, runs: 6, steps: 24, unknownSteps: 0 };
    expect(await line(200, told)).toBe('takes about 4 min, from 6 earlier runs');
    expect(await line(200, { ...told, seconds: 7_500, runs: 1, unknownSteps: 3 })).toBe(
      'takes about 2 h 5 min, from 1 earlier run; 3 of 24 steps are new, and not in it',
    );
    expect(await line(200, { runs: 0, steps: 24, unknownSteps: 24 })).toBe(
      'no earlier run to estimate from',
    );
  });

  it('that cannot be asked keeps nobody from going on', async () => {
    expect(await line(404, { title: 'gone', status: 404, detail: 'no such path' })).toMatch(
      /^no estimate: /,
    );
  });
});
