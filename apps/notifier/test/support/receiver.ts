import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Received {
  readonly path: string;
  readonly id: string;
  /** Milliseconds, of `performance.now()`. */
  readonly at: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a path answers to its nth request, counted from 1. */
export type Answers = (nth: number, received: Received) => Reply | Promise<Reply>;

/** Somebody's HTTP server. */
export class Receiver {
  readonly received: Received[] = [];
  private readonly answers = new Map<string, Answers>();

  private constructor(private readonly server: Server) {}

  static async start(port = 0): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
      request.on('end', () => {
        const path = request.url ?? '';
        const received = {
          path,
          id: String(request.headers['webhook-id']),
          at: performance.now(),
          headers: request.headers,
          body,
        };
        receiver.received.push(received);
        const answer: Answers = receiver.answers.get(path) ?? (() => ({ status: 204 }));
        void Promise.resolve(answer(receiver.at(path).length, received)).then(
          ({ status, headers }) => response.writeHead(status, { ...headers }).end(),
        );
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  answer(path: string, answers: Answers): void {
    this.answers.set(path, answers);
  }

  at(path: string): Received[] {
    return this.received.filter((one) => one.path === path);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** As a receiver does it, with the library of the specification. @throws when the signature is not of this secret. */
export function verified(secret: string, { headers, body }: Received): unknown {
  return new Webhook(secret).verify(body, {
    'webhook-id': String(headers['webhook-id']),
    'webhook-timestamp': String(headers['webhook-timestamp']),
    'webhook-signature': String(headers['webhook-signature']),
  });
}
