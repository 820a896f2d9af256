import { createServer, request, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Certificates } from './certificates.js';
import type { TestCluster } from './kubernetes.js';

/** What is answered in place of the API server. */
export interface Refusal {
  readonly status: number;
  readonly reason?: string;
  readonly message?: string;
  readonly retryAfter?: number;
}

/** What of a cluster is in between. */
type ApiServer = Pick<TestCluster, 'endpoint' | 'secrets'>;

/** A way to an API server that can be cut, be away, and answer by itself. */
export class FlakyServer {
  private readonly certificates = new Certificates('flaky');
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;
  /** Method and path, with the query, of all that was asked. */
  readonly asked: string[] = [];
  /** Asked for each request; undefined: it is passed on. */
  refuse: (asked: string, headers: IncomingMessage['headers']) => Refusal | undefined = () =>
    undefined;
  /** Whether the answer to a request that was passed on is lost; `status`: what the API server said. */
  loses: (asked: string, status: number) => boolean = () => false;

  private constructor(private readonly cluster: ApiServer) {
    this.certificates.sign('server', 'serverAuth', 'IP:127.0.0.1');
  }

  static async before(cluster: ApiServer): Promise<FlakyServer> {
    const flaky = new FlakyServer(cluster);
    await flaky.start();
    return flaky;
  }

  get endpoint(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get ca(): string {
    return this.certificates.read('ca.pem');
  }

  async start(): Promise<void> {
    const key = this.certificates.read('server.key');
    const cert = this.certificates.read('server.pem');
    const server = createServer({ key, cert }, (asked, answer) => this.pass(asked, answer));
    server.on('secureConnection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** All connections end, watches among them. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve();
      else server.close(() => resolve());
    });
    this.cut();
    await closed;
  }

  async close(): Promise<void> {
    await this.stop();
    this.certificates.remove();
  }

  private pass(from: IncomingMessage, to: ServerResponse): void {
    const asked = `${from.method} ${from.url}`;
    this.asked.push(asked);
    const refusal = this.refuse(asked, from.headers);
    if (refusal !== undefined) {
      const { status, retryAfter, reason = '', message = 'refused' } = refusal;
      from.resume();
      to.writeHead(status, {
        'content-type': 'application/json',
        ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      });
      to.end(JSON.stringify({ kind: 'Status', status: 'Failure', code: status, reason, message }));
      return;
    }
    const ca = this.cluster.secrets['LIFTLOCK_SECRET_CA'];
    const { method } = from;
    const { host: _host, ...headers } = from.headers;
    const options = { method, ca, headers, agent: false as const };
    const passed = request(`${this.cluster.endpoint}${from.url}`, options, (answer) => {
      const { statusCode = 500 } = answer;
      if (this.loses(asked, statusCode)) {
        answer.resume();
        to.destroy();
        return;
      }
      to.writeHead(statusCode, answer.headers);
      to.flushHeaders();
      answer.pipe(to);
      answer.on('error', () => to.destroy());
    });
    passed.on('error', () => to.destroy());
    to.on('close', () => passed.destroy());
    from.pipe(passed);
  }
}
