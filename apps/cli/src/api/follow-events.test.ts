import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { UpgradeProgress } from '#contracts';
import { ApiClient } from './client.js';
import { followEvents } from './follow-events.js';

const upgrade = 'upg_01m7yhjd740ke4s5971snksa40';
const at = '2030-01-31T00:00:00.000Z';
const progress: UpgradeProgress = { upgrade, at, steps: [], totals: [] };
const view = {
  ...{ id: upgrade, environment: 'home', application: 'web', release: 'web-2.0', state: 'running' },
  ...{ version: 3, requestedBy: 'ann', createdAt: at, updatedAt: at },
  ...{ attention: [], progress: { stepsTotal: 5, stepsDone: 2 }, changes: [], warnings: [] },
};
const history = (sequence: number, type: string): string =>
  `id: ${sequence}\nevent: ${type}\ndata: ${JSON.stringify({ upgrade, sequence, type, at, data: {} })}\n\n`;
const said = (value: unknown): string => `event: progress\ndata: ${JSON.stringify(value)}\n\n`;

test('progress stands beside the history: it moves no position, and what of it cannot be read is as good as lost', async () => {
  const asked: { readonly url: string; readonly after: string | undefined }[] = [];
  const streams = [
    // ends after progress: the position is that of the history
    `${history(1, 'step-dispatched')}${said(progress)}`,
    `${said({ moons: 2 })}${history(2, 'upgrade-succeeded')}`,
  ];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    // a stream that ended: has the upgrade?
    if (!path.includes('/events')) return response.end(JSON.stringify(view));
    asked.push({ url: path, after: request.headers['last-event-id']?.toString() });
    response.setHeader('content-type', 'text/event-stream');
    return response.end(streams[asked.length - 1]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const heard: UpgradeProgress[] = [];
  const sequences: number[] = [];
  try {
    const events = followEvents(new ApiClient({ url, token: 'x' }), upgrade, {
      onProgress: (one) => heard.push(one),
    });
    for await (const event of events) sequences.push(event.sequence);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  expect(sequences).toEqual([1, 2]);
  expect(heard).toEqual([progress]);
  expect(asked).toEqual([
    { url: `/v1/upgrades/${upgrade}/events?progress=true`, after: '0' },
    { url: `/v1/upgrades/${upgrade}/events?progress=true`, after: '1' },
  ]);
});

test('a fleet that is older than progress, and refuses the parameter, is followed without it', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url?.includes('?') === true) {
      response.writeHead(400, { 'content-type': 'application/problem+json' });
      return response.end(JSON.stringify({ code: 'invalid_request', detail: '/query/progress' }));
    }
    response.setHeader('content-type', 'text/event-stream');
    return response.end(history(1, 'upgrade-succeeded'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sequences: number[] = [];
  try {
    const events = followEvents(new ApiClient({ url, token: 'x' }), upgrade, {
      onProgress: () => undefined,
    });
    for await (const event of events) sequences.push(event.sequence);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  expect(sequences).toEqual([1]);
  expect(asked).toEqual(
    ['?progress=true', ''].map((query) => `/v1/upgrades/${upgrade}/events${query}`),
  );
});

test('who does not show it does not ask for it: a stream of the history alone stays what it was', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.setHeader('content-type', 'text/event-stream');
    response.end(history(1, 'upgrade-succeeded'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    for await (const event of followEvents(new ApiClient({ url, token: 'x' }), upgrade))
      expect(event.sequence).toBe(1);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  expect(asked).toEqual([`/v1/upgrades/${upgrade}/events`]);
});
