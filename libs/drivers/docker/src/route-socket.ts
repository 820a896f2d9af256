import { connect as netConnect, isIP, type Socket } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import type { Duplex } from 'node:stream';
import type { Credentials } from '#contracts';
import type { SecretStore } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Route } from './engine-agent.js';
import type { EngineName } from './engine-name.js';
import { unreachable } from './errors.js';

/** For so long a connection may take to be made, in milliseconds. */
export const CONNECT_MS = 15_000;
/** After so long without traffic the other side is asked whether it is still there, in milliseconds. */
const KEEPALIVE_MS = 15_000;

export function unixRoute(engine: EngineName, path: string): Route {
  return { connect: () => ready(engine, netConnect({ path }), 'connect'), close: () => undefined };
}

/** Plain TCP: on loopback only, see `credentialsOf`. */
export function tcpRoute(engine: EngineName, host: string, port: number): Route {
  return {
    connect: () => ready(engine, lasting(netConnect({ host, port })), 'connect'),
    close: () => undefined,
  };
}

/** TLS with certificates of both sides; the secrets are read anew for each connection. */
export function tlsRoute(
  engine: EngineName,
  at: { readonly host: string; readonly port: number },
  references: Pick<Credentials, 'ca' | 'certificate' | 'key'>,
  secrets: SecretStore,
): Route {
  const read = async (reference: string | undefined): Promise<string | undefined> =>
    reference === undefined ? undefined : secrets.get(reference);
  return {
    close: () => undefined,
    async connect() {
      const [ca, cert, key] = await Promise.all(
        [references.ca, references.certificate, references.key].map(read),
      );
      let socket: TLSSocket;
      try {
        socket = tlsConnect({
          ...at,
          ...{ ca, cert, key },
          // names of hosts only: RFC 6066 allows no addresses
          ...(isIP(at.host) === 0 ? { servername: at.host } : {}),
          minVersion: 'TLSv1.2',
        });
      } catch (error) {
        throw new LiftlockError(
          'misconfigured',
          `the certificate or the key that ${engine.name} (${engine.endpoint}) is reached with cannot be used: ${messageOf(error)}; ` +
            'see credentials.ca, .certificate and .key: each PEM, and the key the certificate’s',
          { cause: error, details: { target: engine.name } },
        );
      }
      return ready(engine, lasting(socket), 'secureConnect');
    },
  };
}

function lasting<S extends Socket>(socket: S): S {
  socket.setKeepAlive(true, KEEPALIVE_MS);
  return socket;
}

/** Resolves when it is connected; whatever keeps it from that is told with the engine's name. */
function ready<S extends Socket>(
  engine: EngineName,
  socket: S,
  event: 'connect' | 'secureConnect',
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new Error(`no connection within ${CONNECT_MS / 1000} s`);
      socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
    }, CONNECT_MS);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(unreachable(engine, error));
    };
    const closed = (): void => fail(new Error('it closed the connection at once'));
    socket.once('error', fail);
    socket.once('close', closed);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off('error', fail);
      socket.off('close', closed);
      resolve(socket);
    });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
