import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const LOOPBACK = '127.0.0.1';
/**
 * Below those that Linux takes for outgoing connections (ip(7), ip_local_port_range: from 32768): a server that is
 * started again finds its port free.
 */
const FIRST = 20_000;
const LAST = 32_767;
let [first, last] = [FIRST, LAST];
/** Ports that this process gave out already, whose new owner may not listen yet. */
const given = new Set<number>();

/**
 * From now on this process gives out ports of its share only. For processes that start many servers side by side: none of
 * them knows what another gave out, whose new owner does not listen yet.
 * @param share 0 to `shares` - 1
 */
export function takeShareOfPorts(share: number, shares: number): void {
  const size = Math.floor((LAST + 1 - FIRST) / shares);
  first = FIRST + share * size;
  last = first + size - 1;
}

/** Whether nothing listens on this port of the loopback address. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}

/**
 * A free port of the loopback address: the preferred one when it is free. Another process may take it before it is
 * used, so who starts a server tries again with another.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isPortFree(preferred))) {
    given.add(preferred);
    return preferred;
  }
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(first, last + 1);
    if (!given.has(port) && (await isPortFree(port))) {
      given.add(port);
      return port;
    }
  }
  throw new Error('no free port on 127.0.0.1: close something that listens');
}
