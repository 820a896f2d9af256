import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestBytes, isDigest, MEDIA_TYPES } from '#oci';
import { algorithmOf, type Digest } from '../../src/digest.js';
import type { TestImage } from './images.js';

/** What a registry may be like; all of it is lawful, or has been seen. */
export interface Habits {
  /** No HEAD for anything: 405. */
  readonly noHead?: boolean;
  /** Mounts are answered with a session. */
  readonly noMount?: boolean;
  /** Has the referrers API, and says `OCI-Subject`. */
  readonly referrers?: boolean;
  /** A blob in one piece is refused with this status. */
  readonly refusesWhole?: number;
  /** `OCI-Chunk-Min-Length` */
  readonly chunkMin?: number;
  /** `Location` of sessions without host, and with a query of its own. */
  readonly oddLocations?: boolean;
  /** A session is cancelled only by the address that its status gives, as docker-registry 3 does when a part has come. */
  readonly cancelsByStatus?: boolean;
  readonly noRanges?: boolean;
  /** Indexes whose images are missing are refused. */
  readonly noSparse?: boolean;
  /** Manifests with layers that are elsewhere are refused, with a 500: docker-registry 2, unless it is told otherwise. */
  readonly noForeign?: boolean;
  /** Bearer tokens; after so many requests all that were given are void, whatever was said. */
  readonly tokens?: {
    readonly voidAt: readonly number[];
    /** None for two repositories at once. */
    readonly forOneOnly?: boolean;
  };
  readonly basic?: { readonly username: string; readonly password: string };
}

/** One request, as the log has it. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** What is done instead of answering, or to the answer. */
export type Order =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  /** The connection ends after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** The connection ends after so many bytes of the request's body. */
  | { readonly kind: 'cut-upload'; readonly after: number }
  /** One byte now and then, for ever. */
  | { readonly kind: 'drip' }
  | { readonly kind: 'silence' }
  /** It is done as asked, and told only then. */
  | { readonly kind: 'late'; readonly until: Promise<unknown> }
  /** Each byte of the body is another. */
  | { readonly kind: 'corrupt' }
  /** The session is lost. */
  | { readonly kind: 'lose-session' };

/** A registry in memory that misbehaves on order, and writes down what it was asked. */
export class OddRegistry {
  readonly calls: Call[] = [];
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, { bytes: Buffer; type: string }>();
  readonly sessions = new Map<string, Buffer>();
  habits: Habits = {};
  /** Requests that are not answered to their end, and whose connection is still there. */
  underWay = 0;
  /** Asked for each request. */
  order: (call: Call) => Order | undefined = () => undefined;
  private readonly tokens = new Set<string>();
  private readonly drips = new Set<NodeJS.Timeout>();

  private constructor(
    private readonly server: Server,
    readonly host: string,
  ) {}

  static async start(habits: Habits = {}): Promise<OddRegistry> {
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const registry = new OddRegistry(server, `127.0.0.1:${(server.address() as AddressInfo).port}`);
    registry.habits = habits;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      registry.underWay += 1;
      response.once('close', () => (registry.underWay -= 1));
      registry.handle(request, response).catch(() => response.destroy());
    });
    return registry;
  }

  /** Fills a repository. */
  hold(repository: string, one: TestImage, tag?: string): void {
    for (const { descriptor, bytes } of one.blobs)
      this.blobs.set(`${repository}@${descriptor.digest}`, bytes);
    for (const { digest, bytes, mediaType } of [...one.manifests, one.manifest])
      this.manifests.set(`${repository}@${digest}`, { bytes, type: mediaType });
    if (tag !== undefined)
      this.manifests.set(`${repository}@${tag}`, {
        bytes: one.manifest.bytes,
        type: one.manifest.mediaType,
      });
  }

  count(method: string, path: RegExp): number {
    return this.calls.filter((call) => call.method === method && path.test(call.path)).length;
  }

  async stop(): Promise<void> {
    for (const timer of this.drips) clearInterval(timer);
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => void this.server.close(() => resolve()));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${this.host}`);
    const call = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
    };
    request.on('error', () => undefined);
    if (url.pathname === '/token') return this.token(url, response);
    this.calls.push(call);
    if (this.habits.tokens?.voidAt.includes(this.calls.length) === true) this.tokens.clear();
    const order = this.order(call);
    if (order?.kind === 'silence') return;
    if (order?.kind === 'status') {
      request.resume();
      response.writeHead(order.status, order.headers).end();
      return;
    }
    if (!this.admits(request)) return this.challenge(url, response);
    const cut = order?.kind === 'cut-upload' ? order.after : undefined;
    const body = await read(request, cut);
    if (body === undefined) {
      request.socket.destroy();
      return;
    }
    if (order?.kind === 'lose-session') this.sessions.clear();
    this.answer(
      call.method,
      url,
      request.headers,
      body,
      new Reply(response, this.host, order, this.drips),
    );
  }

  private answer(
    method: string,
    url: URL,
    headers: IncomingMessage['headers'],
    body: Buffer,
    reply: Reply,
  ): void {
    if (url.pathname === '/v2/') return reply.send(200, {}, '{}');
    if (method === 'HEAD' && this.habits.noHead === true) return reply.send(405);
    const found = /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs|referrers|tags)\/([^/]*)$/.exec(
      url.pathname,
    );
    const [, name = '', kind = '', reference = ''] = found ?? [];
    if (kind === 'tags') return this.tags(name, reply);
    if (kind === 'referrers') return this.referrers(name, reference, reply);
    if (kind === 'blobs/uploads')
      return this.upload(method, name, reference, url, headers, body, reply);
    if (kind === 'manifests' && method === 'PUT')
      return this.putManifest(name, reference, headers, body, reply);
    const key = `${name}@${reference}`;
    const held =
      kind === 'manifests'
        ? this.manifests.get(key)
        : this.blobs.has(key)
          ? { bytes: this.blobs.get(key) ?? body, type: 'application/octet-stream' }
          : undefined;
    if (held === undefined)
      return reply.error(404, kind === 'manifests' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN');
    const digest = isDigest(reference) ? reference : digestBytes(held.bytes);
    const told = { 'content-type': held.type, 'docker-content-digest': digest };
    const range = /^bytes=(\d+)-$/.exec(headers.range ?? '');
    if (method === 'HEAD')
      return reply.send(200, { ...told, 'content-length': String(held.bytes.length) });
    if (range !== null && this.habits.noRanges !== true) {
      const from = Number(range[1]);
      const part = held.bytes.subarray(from);
      return reply.send(
        206,
        { ...told, 'content-range': `bytes ${from}-${held.bytes.length - 1}/${held.bytes.length}` },
        part,
      );
    }
    return reply.send(200, told, held.bytes);
  }

  private tags(name: string, reply: Reply): void {
    const all = [...this.manifests.keys()].filter((key) => key.startsWith(`${name}@`));
    const tags = all.map((key) => key.slice(name.length + 1)).filter((tag) => !isDigest(tag));
    reply.send(200, { 'content-type': 'application/json' }, JSON.stringify({ name, tags }));
  }

  private referrers(name: string, digest: string, reply: Reply): void {
    if (this.habits.referrers !== true) return reply.error(404, 'UNSUPPORTED');
    const manifests = [...this.manifests].flatMap(([key, { bytes, type }]) => {
      if (!isDigest(key.slice(name.length + 1)) || !key.startsWith(`${name}@`)) return [];
      const parsed = JSON.parse(bytes.toString()) as {
        subject?: { digest: string };
        artifactType?: string;
      };
      if (parsed.subject?.digest !== digest) return [];
      return [
        {
          mediaType: type,
          digest: digestBytes(bytes),
          size: bytes.length,
          artifactType: parsed.artifactType,
        },
      ];
    });
    reply.send(
      200,
      { 'content-type': MEDIA_TYPES.ociIndex },
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }),
    );
  }

  private putManifest(
    name: string,
    reference: string,
    headers: IncomingMessage['headers'],
    bytes: Buffer,
    reply: Reply,
  ): void {
    const digest = digestBytes(bytes, isDigest(reference) ? algorithmOf(reference) : 'sha256');
    if (isDigest(reference) && reference !== digest) return reply.error(400, 'DIGEST_INVALID');
    const parsed = JSON.parse(bytes.toString()) as {
      config?: { digest: string };
      layers?: { digest: string; mediaType: string }[];
      manifests?: { digest: string }[];
      subject?: { digest: string };
    };
    const blobs = [
      ...(parsed.layers ?? []).filter(
        ({ mediaType }) => !/nondistributable|foreign/.test(mediaType),
      ),
      ...(parsed.config ? [parsed.config] : []),
    ];
    if (blobs.some((blob) => !this.blobs.has(`${name}@${blob.digest}`)))
      return reply.error(404, 'MANIFEST_BLOB_UNKNOWN');
    if (this.habits.noForeign === true && blobs.length <= (parsed.layers ?? []).length)
      return reply.error(500, 'MANIFEST_BLOB_UNKNOWN');
    const missing = (parsed.manifests ?? []).some(
      (one) => !this.manifests.has(`${name}@${one.digest}`),
    );
    if (missing && this.habits.noSparse === true) return reply.error(400, 'MANIFEST_BLOB_UNKNOWN');
    const type = headers['content-type'] ?? '';
    this.manifests.set(`${name}@${reference}`, { bytes, type });
    this.manifests.set(`${name}@${digest}`, { bytes, type });
    const noted = parsed.subject !== undefined && this.habits.referrers === true;
    reply.send(201, {
      location: `/v2/${name}/manifests/${digest}`,
      'docker-content-digest': digest,
      ...(noted ? { 'oci-subject': parsed.subject?.digest ?? '' } : {}),
    });
  }

  private upload(
    method: string,
    name: string,
    id: string,
    url: URL,
    headers: IncomingMessage['headers'],
    body: Buffer,
    reply: Reply,
  ): void {
    const { habits } = this;
    if (method === 'POST') {
      const mount = url.searchParams.get('mount');
      const there = this.blobs.get(`${url.searchParams.get('from') ?? ''}@${mount ?? ''}`);
      if (mount !== null && there !== undefined && habits.noMount !== true) {
        this.blobs.set(`${name}@${mount}`, there);
        return reply.send(201, { location: `/v2/${name}/blobs/${mount}` });
      }
      const session = randomUUID();
      this.sessions.set(session, Buffer.alloc(0));
      return reply.send(202, {
        ...this.place(name, session),
        ...(habits.chunkMin === undefined
          ? {}
          : { 'oci-chunk-min-length': String(habits.chunkMin) }),
      });
    }
    const had = this.sessions.get(id);
    if (
      had === undefined ||
      (habits.oddLocations === true && url.searchParams.get('state') !== `of ${id}`)
    )
      return reply.error(404, 'BLOB_UPLOAD_UNKNOWN');
    const range = { range: `0-${Math.max(0, had.length - 1)}` };
    const { cancelsByStatus } = habits;
    if (method === 'DELETE') {
      if (cancelsByStatus === true && url.searchParams.get('at') !== 'now')
        return reply.error(416, 'RANGE_INVALID');
      this.sessions.delete(id);
      return reply.send(204);
    }
    if (method === 'GET') {
      const { location = '', ...place } = this.place(name, id);
      const now = cancelsByStatus === true ? `${location}?at=now` : location;
      return reply.send(204, { ...place, location: now, ...range });
    }
    if (method === 'PATCH') {
      const [from = 0, to = 0] = (headers['content-range'] ?? '').split('-').map(Number);
      if (from !== had.length || to - from + 1 !== body.length)
        return reply.send(416, { ...this.place(name, id), ...range });
      const now = Buffer.concat([had, body]);
      this.sessions.set(id, now);
      return reply.send(202, { ...this.place(name, id), range: `0-${now.length - 1}` });
    }
    if (body.length > 0 && habits.refusesWhole !== undefined)
      return reply.error(habits.refusesWhole, 'UNSUPPORTED');
    const digest = url.searchParams.get('digest') ?? '';
    const bytes = Buffer.concat([had, body]);
    if (!isDigest(digest) || digestBytes(bytes, algorithmOf(digest as Digest)) !== digest)
      return reply.error(400, 'DIGEST_INVALID');
    this.sessions.delete(id);
    this.blobs.set(`${name}@${digest}`, bytes);
    reply.send(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
  }

  private place(name: string, session: string): Record<string, string> {
    const path = `/v2/${name}/blobs/uploads/${session}`;
    return {
      location:
        this.habits.oddLocations === true
          ? `${path}?state=${encodeURIComponent(`of ${session}`)}`
          : `http://${this.host}${path}`,
    };
  }

  private admits({ headers }: IncomingMessage): boolean {
    const { tokens, basic } = this.habits;
    if (basic !== undefined)
      return (
        headers.authorization ===
        `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`
      );
    if (tokens === undefined) return true;
    const token = headers.authorization?.replace('Bearer ', '') ?? '';
    return this.tokens.has(token);
  }

  private challenge(url: URL, response: ServerResponse): void {
    const scope = `repository:${/^\/v2\/(.+?)\/(manifests|blobs|tags|referrers)/.exec(url.pathname)?.[1] ?? ''}:pull,push`;
    const bearer = `Bearer realm="http://${this.host}/token",service="odd",scope="${scope}",error="invalid_token"`;
    response.writeHead(401, {
      'www-authenticate': this.habits.basic === undefined ? bearer : 'Basic realm="odd"',
    });
    response.end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'sign in' }] }));
  }

  private token(url: URL, response: ServerResponse): void {
    this.calls.push({ method: 'TOKEN', path: url.search, headers: {} });
    if (this.habits.tokens?.forOneOnly === true && url.searchParams.getAll('scope').length > 1) {
      response.writeHead(403).end();
      return;
    }
    const token = randomUUID();
    this.tokens.add(token);
    response.end(JSON.stringify({ token, expires_in: 300 }));
  }
}

/** An answer, spoilt as was ordered. */
class Reply {
  constructor(
    private readonly response: ServerResponse,
    private readonly host: string,
    private readonly order: Order | undefined,
    private readonly drips: Set<NodeJS.Timeout>,
  ) {}

  error(status: number, code: string): void {
    this.send(
      status,
      { 'content-type': 'application/json' },
      JSON.stringify({ errors: [{ code, message: `${code} at ${this.host}` }] }),
    );
  }

  send(status: number, headers: Record<string, string> = {}, body: Buffer | string = ''): void {
    const bytes = Buffer.from(body);
    const { response, order } = this;
    response.writeHead(status, { 'content-length': String(bytes.length), ...headers });
    if (order?.kind === 'late') void order.until.then(() => response.end(bytes));
    else if (order?.kind === 'drip') {
      const timer = setInterval(() => response.write('x'), 100);
      this.drips.add(timer);
      response.once('close', () => clearInterval(timer));
    } else if (order?.kind === 'corrupt') response.end(bytes.map((byte) => byte ^ 1));
    else if (order?.kind === 'cut' && bytes.length > order.after)
      // what was written reaches the other side before the connection ends
      response.write(bytes.subarray(0, order.after), () => setImmediate(() => response.destroy()));
    else response.end(bytes);
  }
}

/** @returns undefined when it was cut as ordered */
async function read(
  request: IncomingMessage,
  cut: number | undefined,
): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    pieces.push(piece as Buffer);
    length += (piece as Buffer).length;
    if (cut !== undefined && length >= cut) return undefined;
  }
  return Buffer.concat(pieces);
}
