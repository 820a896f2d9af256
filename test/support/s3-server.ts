import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { sha256Hex, signatureProblem } from './s3-signature.js';

const MIB = 1024 * 1024;
const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

interface Stored {
  body: Buffer;
  readonly etag: string;
  modified: Date;
}

interface Upload {
  readonly key: string;
  readonly parts: Map<number, Stored>;
}

export interface Asked {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
}

/** What goes wrong, and with which requests. */
export interface Fault {
  readonly when: (asked: Asked) => boolean;
  /** How often; default: once. */
  times?: number;
  readonly does:
    | { readonly code: string; readonly status: number }
    /** The answer's body ends there, and the connection with it. */
    | { readonly cutAfter: number }
    /** It is done, and the answer is lost. */
    | 'answer lost'
    | 'no answer'
    /** A part is taken, said to be there, and is not. */
    | 'part lost'
    | 'wrong etag';
}

/**
 * A stand-in for an S3-compatible store, after the API's reference: objects, conditions, ranges, lists in pages, uploads in parts, signatures.
 * What goes wrong is ordered.
 */
export class S3Server {
  readonly objects = new Map<string, Stored>();
  readonly uploads = new Map<string, Upload>();
  readonly faults: Fault[] = [];
  readonly asked: Asked[] = [];
  readonly bucket = 'backups';
  readonly keys = { id: 'AKLIFTLOCKTEST', secret: 'a-very/secret+key' };
  /** Keys in one page of a list. */
  page = 3;
  /** Whether it knows `If-None-Match`. */
  knowsConditions = true;

  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  static async start(): Promise<S3Server> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const made = new S3Server(server, `http://127.0.0.1:${port}`);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      made.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    return made;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  clear(): void {
    for (const all of [this.objects, this.uploads]) all.clear();
    this.faults.length = 0;
    this.asked.length = 0;
    this.knowsConditions = true;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.endpoint);
    const [, bucket = '', ...rest] = url.pathname.split('/');
    const key = decodeURIComponent(rest.join('/'));
    const { method = '', headers } = request;
    const asked: Asked = { method, key, query: url.searchParams, headers };
    const sent = await buffer(request);
    this.asked.push(asked);
    const fault = this.faultOf(asked);
    if (fault === 'no answer') return;
    if (typeof fault === 'object' && 'code' in fault)
      return fail(response, fault.status, fault.code, method);
    const problem = signatureProblem(request, url, this.keys);
    if (problem !== undefined) return fail(response, 403, problem, method);
    const hash = String(headers['x-amz-content-sha256']);
    const isChunked = hash === 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
    const body = isChunked ? withoutChunks(sent) : sent;
    if (!isChunked && hash !== 'UNSIGNED-PAYLOAD' && hash !== sha256Hex(body))
      return fail(response, 400, 'XAmzContentSHA256Mismatch', method);
    if (bucket !== this.bucket) return fail(response, 404, 'NoSuchBucket', method);
    const send = (status: number, content: string | Buffer = '', more: object = {}): void => {
      if (fault === 'answer lost') {
        response.destroy();
        return;
      }
      const bytes = Buffer.from(content as string);
      response.writeHead(status, { 'content-length': bytes.length, ...more });
      if (typeof fault === 'object' && bytes.length > fault.cutAfter) {
        response.write(bytes.subarray(0, fault.cutAfter), () => response.destroy());
      } else response.end(method === 'HEAD' ? undefined : bytes);
    };
    const no = (status: number, code: string): void => fail(response, status, code, method);
    if (key === '') this.list(asked, send);
    else if (url.searchParams.has('uploads')) this.begin(key, send);
    else if (url.searchParams.has('uploadId')) this.upload(asked, body, fault, send, no);
    else this.object(asked, body, send, no);
  }

  private faultOf(asked: Asked): Fault['does'] | undefined {
    const at = this.faults.findIndex(({ when }) => when(asked));
    const fault = this.faults[at];
    if (fault === undefined) return undefined;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) this.faults.splice(at, 1);
    return fault.does;
  }

  private list({ query }: Asked, send: Send): void {
    const prefix = query.get('prefix') ?? '';
    if (query.has('uploads')) {
      const from = query.get('key-marker') ?? '';
      const after = query.get('upload-id-marker') ?? '';
      const all = [...this.uploads]
        .filter(([, { key }]) => key.startsWith(prefix))
        .toSorted(([a, one], [b, other]) => (one.key + a < other.key + b ? -1 : 1))
        .filter(([id, { key }]) => key > from || (key === from && id > after));
      const found = all.slice(0, this.page);
      const [lastId, last] = found.at(-1) ?? [];
      const more =
        all.length > found.length
          ? `<IsTruncated>true</IsTruncated><NextKeyMarker>${last?.key}</NextKeyMarker><NextUploadIdMarker>${lastId}</NextUploadIdMarker>`
          : '<IsTruncated>false</IsTruncated>';
      const items = found.map(
        ([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`,
      );
      send(200, xml('ListMultipartUploadsResult', more + items.join('')));
      return;
    }
    const after = query.get('continuation-token') ?? '';
    const all = [...this.objects]
      .filter(([key]) => key.startsWith(prefix) && key > after)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const found = all.slice(0, this.page);
    const more =
      all.length > found.length
        ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${found.at(-1)?.[0]}</NextContinuationToken>`
        : '<IsTruncated>false</IsTruncated>';
    const items = found.map(
      ([key, { body, modified }]) =>
        `<Contents><Key>${key}</Key><Size>${body.length}</Size><LastModified>${modified.toISOString()}</LastModified></Contents>`,
    );
    send(200, xml('ListBucketResult', more + items.join('')));
  }

  private begin(key: string, send: Send): void {
    const id = randomBytes(8).toString('hex');
    this.uploads.set(id, { key, parts: new Map() });
    send(200, xml('InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`));
  }

  private upload(
    { method, key, query }: Asked,
    body: Buffer,
    fault: Fault['does'] | undefined,
    send: Send,
    no: Refuse,
  ): void {
    const id = query.get('uploadId') ?? '';
    const upload = this.uploads.get(id);
    if (upload?.key !== key) return no(404, 'NoSuchUpload');
    if (method === 'DELETE') {
      this.uploads.delete(id);
      return send(204);
    }
    if (method === 'PUT') {
      const etag = `"${md5(body)}"`;
      const number = Number(query.get('partNumber'));
      if (fault !== 'part lost') upload.parts.set(number, { body, etag, modified: new Date() });
      return send(200, '', { etag: fault === 'wrong etag' ? '"0"' : etag });
    }
    const named = [...body.toString('utf8').matchAll(/<Part>.*?<\/Part>/gs)].map(([part]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: /<ETag>(.*?)</.exec(part)?.[1]?.replaceAll('&quot;', '"'),
    }));
    const parts = named.map(({ number, etag }) => {
      const part = upload.parts.get(number);
      return part?.etag === etag ? part : undefined;
    });
    const all = parts.filter((part) => part !== undefined);
    // some stores look at nothing, and leave out what they have not
    if (fault !== 'part lost' && all.length < parts.length) return no(400, 'InvalidPart');
    if (all.slice(0, -1).some((part) => part.body.length < 5 * MIB))
      return no(400, 'EntityTooSmall');
    const whole = Buffer.concat(all.map((part) => part.body));
    this.objects.set(key, {
      body: whole,
      etag: `"${md5(whole)}-${all.length}"`,
      modified: new Date(),
    });
    this.uploads.delete(id);
    return send(200, xml('CompleteMultipartUploadResult', `<Key>${key}</Key>`));
  }

  private object({ method, key, headers }: Asked, body: Buffer, send: Send, no: Refuse): void {
    const found = this.objects.get(key);
    if (method === 'PUT') {
      if (headers['if-none-match'] === '*') {
        if (!this.knowsConditions) return no(501, 'NotImplemented');
        if (found !== undefined) return no(412, 'PreconditionFailed');
      }
      const etag = `"${md5(body)}"`;
      this.objects.set(key, { body, etag, modified: new Date() });
      return send(200, '', { etag });
    }
    if (method === 'DELETE') {
      this.objects.delete(key);
      return send(204);
    }
    if (found === undefined) return no(404, 'NoSuchKey');
    if (headers['if-match'] !== undefined && headers['if-match'] !== found.etag)
      return no(412, 'PreconditionFailed');
    const [asked, first = 0, last = Infinity] =
      /^bytes=(\d+)-(\d+)?$/.exec(headers.range ?? '') ?? [];
    const from = Number(first);
    const end = Math.min(Number(last) + 1, found.body.length);
    const range = `bytes ${from}-${end - 1}/${found.body.length}`;
    return send(asked === undefined ? 200 : 206, found.body.subarray(from, end), {
      etag: found.etag,
      'last-modified': found.modified.toUTCString(),
      ...(asked === undefined ? {} : { 'content-range': range }),
    });
  }
}

type Send = (status: number, content?: string | Buffer, more?: object) => void;
type Refuse = (status: number, code: string) => void;

const xml = (name: string, content: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${name}>`;

function fail(response: ServerResponse, status: number, code: string, method: string): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>said by the test's store</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(method === 'HEAD' ? undefined : body);
}

/** Of a body that is signed piece by piece: `<hex length>;chunk-signature=…`, the piece, and so on until one of no bytes. The signatures are not looked at. */
function withoutChunks(sent: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < sent.length;) {
    const head = sent.indexOf('\r\n', at);
    const length = parseInt(sent.subarray(at, head).toString('latin1'), 16);
    if (head < 0 || Number.isNaN(length)) throw new Error('the body is in no chunks');
    pieces.push(sent.subarray(head + 2, head + 2 + length));
    at = head + 2 + length + 2;
  }
  return Buffer.concat(pieces);
}
