import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import { LiftlockError } from '#kernel';
import type { ApiAddress } from './address.js';
import { errorOfProblem } from './problem-error.js';

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Milliseconds for one request, its answer read. */
const REQUEST_MS = 60_000;
/** Milliseconds for which a service that is just away is asked again. */
const INSIST_MS = 10_000;

/** The HTTP API, asked as a person's tool asks it: what may be repeated is repeated for a moment, and errors say what to do. */
export class ApiClient {
  constructor(
    private readonly address: ApiAddress,
    private readonly signal?: AbortSignal,
  ) {}

  get url(): string {
    return this.address.url;
  }

  /** @throws LiftlockError with the code that the API gave, or `unavailable` when none answers. */
  async get<S extends z.ZodType>(
    path: string,
    reply: S,
    query?: RequestOptions['query'],
  ): Promise<z.infer<S>> {
    return this.parse('GET', path, reply, { ...(query === undefined ? {} : { query }) }, true);
  }

  /** As `get`, for what need not be there. */
  async find<S extends z.ZodType>(path: string, reply: S): Promise<z.infer<S> | undefined> {
    try {
      return await this.get(path, reply);
    } catch (error) {
      if (error instanceof LiftlockError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  /** @param again whether it may be sent twice: it is a `PUT`, or carries an Idempotency-Key. */
  async send<S extends z.ZodType>(
    method: 'POST' | 'PUT' | 'DELETE',
    path: string,
    reply: S,
    options: RequestOptions = {},
    again = method !== 'POST',
  ): Promise<z.infer<S>> {
    return this.parse(method, path, reply, options, again);
  }

  /** One request as it is; any status that is an answer comes back. */
  async fetch(
    method: string,
    path: string,
    options: RequestOptions = {},
    signal: AbortSignal | undefined = this.bound(REQUEST_MS),
  ): Promise<Response> {
    const url = new URL(path, this.address.url);
    for (const [key, value] of Object.entries(options.query ?? {}))
      if (value !== undefined) url.searchParams.set(key, String(value));
    try {
      return await fetch(url, {
        method,
        redirect: 'error',
        headers: {
          authorization: `Bearer ${this.address.token}`,
          accept: 'application/json',
          ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...options.headers,
        },
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (cause) {
      throw this.unreachable(cause);
    }
  }

  /** @throws the signal's reason when the user gave up; else what is to be told about a server that does not answer. */
  unreachable(cause: unknown): LiftlockError {
    this.signal?.throwIfAborted();
    if (cause instanceof LiftlockError) return cause;
    return new LiftlockError(
      'unavailable',
      `no fleet answers at ${this.address.url} (${reasonOf(cause)}): ./liftlock up starts one, --server names another`,
      { cause },
    );
  }

  /** @throws LiftlockError when the answer is an error. */
  async refuse(response: Response, what: string): Promise<void> {
    if (response.ok) return;
    const text = await response.text().catch(() => '');
    throw errorOfProblem(jsonOr(text), response.status, what);
  }

  private async parse<S extends z.ZodType>(
    method: string,
    path: string,
    reply: S,
    options: RequestOptions,
    again: boolean,
  ): Promise<z.infer<S>> {
    const until = performance.now() + INSIST_MS;
    for (let wait = 200; ; wait = Math.min(wait * 2, 2_000)) {
      try {
        return await this.once(method, path, reply, options);
      } catch (error) {
        const known = LiftlockError.from(error);
        // a gateway that is not there at all is told at once; one that says "in a moment" is asked again
        const worthIt = again && known.retryable && known.cause === undefined;
        if (!worthIt || performance.now() + wait > until) throw error;
        await delay(wait, undefined, this.signal === undefined ? {} : { signal: this.signal });
      }
    }
  }

  private async once<S extends z.ZodType>(
    method: string,
    path: string,
    reply: S,
    options: RequestOptions,
  ): Promise<z.infer<S>> {
    const response = await this.fetch(method, path, options);
    const what = `${method} ${path}`;
    await this.refuse(response, what);
    const text = await response.text().catch((cause: unknown) => {
      throw this.unreachable(cause);
    });
    const parsed = reply.safeParse(text === '' ? undefined : jsonOr(text));
    if (parsed.success) return parsed.data;
    throw new LiftlockError(
      'internal',
      `${what}: the answer is not what this version of the CLI knows: are both of one version?`,
      { cause: parsed.error },
    );
  }

  private bound(ms: number): AbortSignal {
    const limit = AbortSignal.timeout(ms);
    return this.signal === undefined ? limit : AbortSignal.any([limit, this.signal]);
  }
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  if (inner instanceof Error && 'code' in inner && typeof inner.code === 'string')
    return inner.code;
  return inner instanceof Error ? inner.message : String(inner);
}
