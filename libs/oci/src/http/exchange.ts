import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import type https from 'node:https';
import { LiftlockError } from '#kernel';
import { Answer } from './answer.js';
import { plainHttp } from './plain-http.js';
import { ProgressWatch } from './progress-watch.js';
import type { RateLimit } from './rate-limit.js';
import { secureHttp } from './secure-http.js';

/** Where a body's bytes go. */
export interface BodySink {
  /** @returns false when no more is wanted: the registry has answered already, and the answer says why. */
  write(chunk: Uint8Array): Promise<boolean>;
}

export interface Body {
  /** Bytes that `pump` writes, no more and no less. */
  readonly length: number;
  /** Writes all of it; what it throws ends the request. */
  readonly pump: (sink: BodySink) => Promise<void>;
}

export interface ExchangeRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | Body;
  readonly agent: Agent | https.Agent;
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that the answer to what is on its way may still take once the signal came, for a request that makes something which only
   * its answer names. The answer is given then as if nothing had been: the caller looks at the signal. Default 0.
   */
  readonly graceMs?: number | undefined;
  /** Milliseconds without progress after which it is given up. */
  readonly stallMs: number;
  /** What all bytes of bodies, both ways, are held down to. */
  readonly limits?: readonly RateLimit[];
}

/** One request and its answer over node:http(s), without following, signing in or trying again. */
export async function exchange(request: ExchangeRequest): Promise<Answer> {
  request.signal?.throwIfAborted();
  const { body } = request;
  const length =
    body === undefined ? undefined : Buffer.isBuffer(body) ? body.byteLength : body.length;
  const needsLength = body === undefined && !['GET', 'HEAD', 'DELETE'].includes(request.method);
  const headers = {
    'user-agent': 'liftlock',
    ...request.headers,
    ...(length === undefined ? {} : { 'content-length': String(length) }),
    ...(needsLength ? { 'content-length': '0' } : {}),
  };
  const options = { method: request.method, agent: request.agent, headers };
  const call =
    request.url.protocol === 'https:'
      ? secureHttp().request(request.url, options)
      : plainHttp.request(request.url, options);
  const watch = new ProgressWatch(request.stallMs, (error) => call.destroy(error));
  let grace: NodeJS.Timeout | undefined;
  const abort = (): void => {
    const end = (): void => void call.destroy(reasonOf(request.signal));
    // of what has not left yet the other side knows nothing
    if (request.graceMs !== undefined && call.writableFinished)
      grace = setTimeout(end, request.graceMs);
    else end();
  };
  request.signal?.addEventListener('abort', abort, { once: true });
  call.once('close', () => {
    watch.stop();
    clearTimeout(grace);
    request.signal?.removeEventListener('abort', abort);
  });
  const answered = response(call);
  try {
    if (body === undefined) call.end();
    else if (Buffer.isBuffer(body)) call.end(body);
    else
      await Promise.race([
        pump(call, request, body, answered, watch),
        answered.then(() => undefined),
      ]);
    const message = await answered;
    const limited =
      request.limits === undefined ? undefined : (bytes: number) => throttle(request, bytes);
    return new Answer(call, message, watch, limited);
  } catch (error) {
    call.destroy();
    throw request.signal?.aborted === true ? reasonOf(request.signal) : error;
  }
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new LiftlockError('revoked', 'it was called back');
}

function response(call: ClientRequest): Promise<IncomingMessage> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    let isAnswered = false;
    call.once('response', (message) => {
      isAnswered = true;
      resolve(message);
    });
    call.on('error', reject);
    // an error is made only where it is told: its stack costs more than all else that is done at the end of a request
    call.once('close', () => {
      if (!isAnswered) reject(new Error('the connection was closed before an answer'));
    });
  });
  // while the body is written nobody looks at it
  answered.catch(() => undefined);
  return answered;
}

async function pump(
  call: ClientRequest,
  request: ExchangeRequest,
  body: Body,
  answered: Promise<IncomingMessage>,
  watch: ProgressWatch,
): Promise<void> {
  let over = false;
  let goOn: (() => void) | undefined;
  const stop = (): void => {
    over = true;
    goOn?.();
  };
  answered.then(stop, stop);
  call.on('drain', () => goOn?.());
  let written = 0;
  await body.pump({
    async write(chunk) {
      if (over) return false;
      written += chunk.byteLength;
      if (request.limits !== undefined) await throttle(request, chunk.byteLength);
      watch.moved(chunk.byteLength);
      // no race with the answer: what waits for that is kept until it comes, for each piece
      if (!call.write(chunk) && !over) await new Promise<void>((resolve) => (goOn = resolve));
      return !over;
    },
  });
  if (over) return;
  if (written !== body.length)
    throw new Error(`a body of ${body.length} bytes ended after ${written}`);
  call.end();
}

async function throttle({ limits, signal }: ExchangeRequest, bytes: number): Promise<void> {
  for (const limit of limits ?? []) await limit.pass(bytes, signal);
}
