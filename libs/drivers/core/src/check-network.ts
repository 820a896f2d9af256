import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Check } from '#contracts';
import { seen, type Look } from './check-look.js';

type HttpCheck = Extract<Check, { type: 'http' }>;
type TcpCheck = Extract<Check, { type: 'tcp' }>;

/** Most of a body that is looked at, in bytes. */
const BODY_LIMIT = 1024 * 1024;

/** A request from this machine; on a connection of its own, since one to the old instance may still be open. */
export function httpLook(wanted: HttpCheck): Look<unknown> {
  const pattern = wanted.body === undefined ? undefined : new RegExp(wanted.body, 'm');
  return async (_instance, signal) => {
    const { status, body } = await get(wanted.url, signal);
    if (status !== wanted.status)
      return seen(false, `${wanted.url} answered ${status}, not ${wanted.status}`);
    if (pattern !== undefined && !pattern.test(body))
      return seen(
        false,
        `${wanted.url} answered ${status}, but its body does not match ${wanted.body}: ${body.slice(0, 200)}`,
      );
    return seen(true, `${wanted.url} answered ${status}`);
  };
}

function get(url: string, signal: AbortSignal): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    request(url, { agent: false, signal, headers: { 'user-agent': 'liftlock' } }, (response) => {
      bodyOf(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    })
      .on('error', (error) => reject(new Error(`${url}: ${error.message}`)))
      .end();
  });
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    size += piece.length;
    if (size > BODY_LIMIT) break; // ends the response, too
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Something accepts connections there, seen from this machine. */
export function tcpLook(wanted: TcpCheck): Look<unknown> {
  const address = `${wanted.host}:${wanted.port}`;
  return (_instance, signal) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: wanted.host, port: wanted.port, signal });
      socket.once('connect', () => {
        socket.destroy();
        resolve(seen(true, `${address} accepts connections`));
      });
      socket.once('error', (error) => reject(new Error(`${address}: ${error.message}`)));
    });
}
