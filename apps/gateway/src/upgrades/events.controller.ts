import { once } from 'node:events';
import { Controller, Inject, Req, Res, type BeforeApplicationShutdown } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { HistoryEvent } from '#contracts';
import { LiftlockError } from '#kernel';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';
import { principalOf } from '../http/request-context.js';
import { MAX_STREAMS } from '../tokens.js';
import { EventFeed } from './event-feed.js';
import { ProgressFeed } from './progress-feed.js';
import { writeProgress } from './write-progress.js';

/** Milliseconds of silence after which a comment says that the stream is alive, and the token is looked at again. */
const HEARTBEAT_MS = 10_000;

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): `id` is the upgrade's sequence. `progress` has no id, and so
 * leaves a reader's position where it was; it comes only to who asks for it, since one that knows the history alone would not know it.
 */
@Controller()
export class EventsController implements BeforeApplicationShutdown {
  private readonly open = new Set<AbortController>();

  constructor(
    private readonly feed: EventFeed,
    private readonly progress: ProgressFeed,
    @Inject(MAX_STREAMS) private readonly maxStreams: number,
  ) {}

  beforeApplicationShutdown(): void {
    for (const stream of this.open) stream.abort();
  }

  @Endpoint('streamEvents')
  async stream(@Req() request: Request, @Res() response: Response): Promise<void> {
    const { params, query, headers } = await readInput(ENDPOINTS.streamEvents, request);
    const after = Number(headers['last-event-id'] ?? query.after ?? 0);
    if (this.open.size >= this.maxStreams) {
      throw new LiftlockError(
        'rate_limited',
        `${this.maxStreams} event streams are open: close one, or ask again later`,
      );
    }
    const gone = new AbortController();
    this.open.add(gone);
    response.once('close', () => gone.abort());
    // while its token was looked at: that it was closed is told nobody again
    if (response.destroyed) gone.abort();
    const endProgress =
      query.progress === 'true'
        ? this.progress.follow(params.id, (progress) => writeProgress(response, progress))
        : undefined;
    try {
      await this.send(params.id, after, request, response, gone.signal);
    } finally {
      endProgress?.();
      this.open.delete(gone);
    }
  }

  private async send(
    upgrade: string,
    after: number,
    request: Request,
    response: Response,
    gone: AbortSignal,
  ): Promise<void> {
    const principal = principalOf(request);
    let lastSign = performance.now();
    for await (const events of this.feed.follow(upgrade, after, gone)) {
      if (!response.headersSent) begin(response);
      if (events.length > 0) {
        lastSign = performance.now();
        await write(response, events.map(frame).join(''), gone);
      } else if (performance.now() - lastSign >= HEARTBEAT_MS) {
        lastSign = performance.now();
        // a token that was revoked in the meantime ends the stream; a database that is away does not
        if (!(await principal.stillGood().catch(() => true))) break;
        await write(response, ': alive\n\n', gone);
      }
    }
    response.end();
  }
}

function begin(response: Response): void {
  response.status(200);
  response.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  // nginx would otherwise keep it all back
  response.setHeader('X-Accel-Buffering', 'no');
  response.flushHeaders();
  response.write('retry: 1000\n\n');
}

function frame(event: HistoryEvent): string {
  return `id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Waits for a reader that is slower than the history. */
async function write(response: Response, text: string, gone: AbortSignal): Promise<void> {
  if (gone.aborted || response.write(text)) return;
  await once(response, 'drain', { signal: gone }).catch(() => undefined);
}
