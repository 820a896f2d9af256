import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { request } from 'node:http';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { EngineAgent } from './engine-agent.js';

test('what a call logs of its options does not grow with the calls under way', async () => {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const agent = new EngineAgent({
    connect: async () => {
      const socket = connect({ host: '127.0.0.1', port });
      await once(socket, 'connect');
      return socket;
    },
    close: () => undefined,
  });
  const calls = [1, 2, 3].map(() =>
    request({ host: 'engine', agent }).on('error', () => undefined),
  );
  try {
    const connected = calls.map((call) => once(call, 'socket'));
    for (const call of calls) call.end();
    await Promise.all(connected);
    expect(Object.values(agent.sockets).flat()).toHaveLength(3);
    // as docker-modem does
    expect(inspect({ agent }, { showHidden: true, depth: null })).toBe('{ agent: EngineAgent }');
  } finally {
    for (const call of calls) call.destroy();
    agent.destroy();
    server.close();
  }
});
