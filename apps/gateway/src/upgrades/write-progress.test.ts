import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { UpgradeProgress } from '#contracts';
import { waitFor } from '#kernel';
import { writeProgress } from './write-progress.js';

const progress: UpgradeProgress = {
  ...{ upgrade: 'upg_01m7yhjd740ke4s5971snksa40', at: '2030-01-31T00:00:00.000Z', totals: [] },
  steps: Array.from({ length: 500 }, (_, i) => ({
    ...{ step: `prepare/host-${i}/image-1`, part: 'pull' as const },
    ...{ doneBytes: 1, totalBytes: 2 },
  })),
};

test('a reader that does not read is written nothing more, however long it goes on; when it reads again, it is', async () => {
  let response: ServerResponse | undefined;
  const server = createServer((_request, its) => {
    response = its;
    its.flushHeaders();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const reader = await new Promise<IncomingMessage>((resolve, reject) =>
      get({ host: '127.0.0.1', port }, resolve).once('error', reject),
    );
    const its = response;
    if (its === undefined) throw new Error('nobody has asked');
    const written = Array.from({ length: 1_000 }, () => writeProgress(its, progress));
    expect([written[0], written.at(-1)]).toEqual([true, false]);
    // what waits for it in this process: two frames, not a thousand
    expect(its.writableLength).toBeLessThan(1_000_000);
    reader.resume();
    await waitFor(() => writeProgress(its, progress) || undefined, {
      what: 'the reader to have read',
      deadlineMs: 60_000,
    });
    its.end();
    expect(writeProgress(its, progress)).toBe(false);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('nothing is written before the stream has begun, so that a refusal still has its status', async () => {
  let written: boolean | undefined;
  const server = createServer((_request, response) => {
    written = writeProgress(response, progress);
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const { status } = await fetch(`http://127.0.0.1:${port}`);
    expect([written, status]).toEqual([false, 404]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
