import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, ProxyAgent, request, type Dispatcher } from 'undici';
import type { SecretStore } from '#drivers/core';
import { canonicalJson, LiftlockError } from '#kernel';
import { accessBy, readMaterial, type Access, type ClusterPlace } from './access.js';
import { ApiResources } from './api-resources.js';
import type { ClusterName } from './cluster-name.js';
import { ApiAnswer, abortedBy, clusterError, isPassing, statusOf } from './errors.js';
import type { KubeList, KubeObject } from './objects.js';
import { pathOf, type Resource } from './resources.js';

/** For so long a connection may take to be made, in milliseconds. */
const CONNECT_MS = 15_000;
/** For so long an API server may take to begin its answer, in milliseconds: its own limit is 60 s. */
const ANSWER_MS = 65_000;
/** Most connections at a time; a watch takes one of its own. */
const MOST_CONNECTIONS = 256;
/** Tries of what may be tried again within one call. */
const TRIES = 5;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;

export interface ApiCall {
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  /** Of the answer; default JSON. */
  readonly accept?: string | undefined;
  /** Of the body; default JSON. */
  readonly contentType?: string;
  /** Whether it is asked once and not again, whatever is answered; default false. */
  readonly once?: boolean;
}

/** Of each object what its `metadata` holds, and nothing else: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

export interface Selection {
  readonly namespace?: string | undefined;
  readonly labels?: string | undefined;
  readonly fields?: string | undefined;
  /** Leaves out all that objects hold but their metadata; default false. */
  readonly metadataOnly?: boolean;
}

/** One cluster's API server: every request goes through here, so that every error is one of ours. */
export class Cluster implements ClusterName {
  readonly name: string;
  readonly endpoint: string;
  /** Which kinds it has, and where. */
  readonly resources: ApiResources;
  private current: { key: string; access: Access; agent: Dispatcher } | undefined;
  private reached = false;

  constructor(
    private readonly place: ClusterPlace,
    private readonly secrets: SecretStore,
  ) {
    this.name = place.name;
    this.endpoint = place.endpoint;
    this.resources = new ApiResources(this);
  }

  /** Whether it answered at least once. */
  get wasReached(): boolean {
    return this.reached;
  }

  /** With what it is reached at this moment. */
  async access(): Promise<Access> {
    return (await this.connection()).access;
  }

  /** @throws LiftlockError as `json` does, unless it is ready for requests now. */
  async ping(signal: AbortSignal): Promise<void> {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
    await this.once('asking the API server whether it is ready', { path: '/readyz' }, soon).catch(
      (error: unknown) => {
        throw clusterError(this, 'asking the API server whether it is ready', error, soon);
      },
    );
  }

  /** @throws LiftlockError as `clusterError` makes it. */
  async json<T>(what: string, call: ApiCall, signal: AbortSignal | undefined): Promise<T> {
    const { body } = await this.send(what, call, signal);
    return this.read(what, signal, async () => (await body.json()) as T);
  }

  async text(what: string, call: ApiCall, signal: AbortSignal | undefined): Promise<string> {
    const { body } = await this.send(what, call, signal);
    return this.read(what, signal, () => body.text());
  }

  /** The answer as it comes: it has no end of its own. */
  async stream(what: string, call: ApiCall, signal: AbortSignal): Promise<Readable> {
    return (await this.send(what, call, signal)).body;
  }

  /** `undefined` where there is none of that name. */
  async get<T extends KubeObject>(
    resource: Resource,
    at: { readonly namespace?: string | undefined; readonly name: string },
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    try {
      return await this.json<T>(
        `reading ${titleOf(resource, at)}`,
        { path: pathOf(resource, at) },
        signal,
      );
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(
    resource: Resource,
    selection: Selection,
    signal: AbortSignal | undefined,
  ): Promise<readonly T[]> {
    return (await this.listed<T>(resource, selection, signal)).items;
  }

  /** With the version that a watch goes on from. */
  async listed<T extends KubeObject>(
    resource: Resource,
    { namespace, labels, fields, metadataOnly = false }: Selection,
    signal: AbortSignal | undefined,
  ): Promise<KubeList<T>> {
    return this.json<KubeList<T>>(
      `looking for ${resource.plural}${namespace === undefined ? '' : ` in ${namespace}`}`,
      {
        path: pathOf(resource, { namespace }),
        query: { labelSelector: labels, fieldSelector: fields },
        accept: metadataOnly ? METADATA_ONLY : undefined,
      },
      signal,
    );
  }

  close(): void {
    void this.current?.agent.destroy().catch(() => undefined);
    this.current = undefined;
  }

  /** Tries again what the server was too busy for, and of what only reads also what it failed at. */
  private async send(
    what: string,
    call: ApiCall,
    signal: AbortSignal | undefined,
  ): Promise<Dispatcher.ResponseData> {
    const reads = (call.method ?? 'GET') === 'GET';
    let waitMs = FIRST_WAIT_MS;
    for (let tries = 1; ; tries += 1) {
      try {
        signal?.throwIfAborted();
        const answer = await this.once(what, call, signal);
        this.reached = true;
        return answer;
      } catch (error) {
        const again =
          statusOf(error) === 429 ||
          (reads && isPassing(error)) ||
          (await this.isStarting(error, signal));
        if (!again || call.once === true || tries >= TRIES || signal?.aborted === true)
          throw clusterError(this, what, error, signal);
        const asked = error instanceof ApiAnswer ? error.retryAfterMs : undefined;
        await this.pause(what, Math.min(asked ?? waitMs, LONGEST_WAIT_MS), signal);
        waitMs *= 3;
      }
    }
  }

  /** A server that has just started refuses everybody until it has read its roles and accounts. */
  private async isStarting(error: unknown, signal: AbortSignal | undefined): Promise<boolean> {
    const status = statusOf(error);
    if (!this.reached || (status !== 401 && status !== 403)) return false;
    try {
      await this.ping(signal ?? AbortSignal.timeout(CONNECT_MS));
      return false;
    } catch {
      return signal?.aborted !== true;
    }
  }

  private async once(
    what: string,
    call: ApiCall,
    signal: AbortSignal | undefined,
  ): Promise<Dispatcher.ResponseData> {
    const { method = 'GET', path, query = {}, body } = call;
    const { accept = 'application/json', contentType = 'application/json' } = call;
    const { access, agent } = await this.connection();
    const answer = await request(`${access.server}${path}`, {
      method,
      dispatcher: agent,
      query: Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)),
      headers: {
        accept,
        'user-agent': 'liftlock',
        ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
      headersTimeout: ANSWER_MS,
      // of a watch nothing may come for long
      bodyTimeout: 0,
    });
    if (answer.statusCode < 300) return answer;
    throw await refusal(what, answer);
  }

  /** The secrets are read anew each time; what they stand for is only worked on when it is something else. */
  private async connection(): Promise<{ access: Access; agent: Dispatcher }> {
    const material = await readMaterial(this.place, this.secrets);
    const key = createHash('sha256').update(canonicalJson(material)).digest('hex');
    if (this.current?.key === key) return this.current;
    const access = accessBy(this.place, material);
    const before = this.current;
    this.current = { key, access, agent: agentOf(this, access) };
    // what is under way ends by itself
    void before?.agent.close().catch(() => undefined);
    return this.current;
  }

  private async read<T>(
    what: string,
    signal: AbortSignal | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw clusterError(this, what, error, signal);
    }
  }

  private async pause(what: string, ms: number, signal: AbortSignal | undefined): Promise<void> {
    await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {
      throw signal === undefined ? new Error(what) : abortedBy(signal, what);
    });
  }
}

export function titleOf(
  { kind }: { readonly kind: string },
  at: { readonly namespace?: string | undefined; readonly name: string },
): string {
  return `${kind} ${at.namespace === undefined ? '' : `${at.namespace}/`}${at.name}`;
}

function agentOf(cluster: ClusterName, { tls, proxy }: Access): Dispatcher {
  try {
    const options = {
      ...tls,
      timeout: CONNECT_MS,
      keepAlive: true,
      minVersion: 'TLSv1.2' as const,
    };
    if (proxy !== undefined) return new ProxyAgent({ uri: proxy, requestTls: options });
    return new Agent({ connect: options, connections: MOST_CONNECTIONS });
  } catch (error) {
    throw new LiftlockError(
      'misconfigured',
      `what ${cluster.name} (${cluster.endpoint}) is reached with cannot be used: ${error instanceof Error ? error.message : String(error)}; ` +
        'see its credentials: each PEM, and the key the certificate’s',
      { cause: error, details: { target: cluster.name } },
    );
  }
}

/** What an API server answers instead of what was asked for (`Status` of meta/v1); what stands before it may answer anything. */
async function refusal(what: string, answer: Dispatcher.ResponseData): Promise<ApiAnswer> {
  const text = await answer.body.text().catch(() => '');
  const said = parsed(text);
  const seconds = Number(answer.headers['retry-after'] ?? said?.details?.retryAfterSeconds);
  return new ApiAnswer(
    answer.statusCode,
    said?.reason ?? '',
    said?.message ?? (text.trim().slice(0, 500) || `${what} was answered ${answer.statusCode}`),
    Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
    said?.details,
  );
}

interface StatusAnswer {
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

function parsed(text: string): StatusAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
