import { historyEvent, type HistoryEvent } from '#contracts';
import type { ApiClient } from './api-client.js';

const ENDED = /^upgrade-(succeeded|partially-succeeded|rolled-back|failed|rejected|cancelled)$/;

/**
 * An upgrade's events as they happen, from its first to its last; a gateway that goes away is asked again.
 * @throws Error when a person has to look, or at the deadline, with what came last
 */
export async function* followUpgrade(
  api: ApiClient,
  upgrade: string,
  deadlineMs: number,
): AsyncGenerator<HistoryEvent> {
  const until = performance.now() + deadlineMs;
  let after = 0;
  let last: HistoryEvent | undefined;
  while (performance.now() < until) {
    for await (const event of streamOnce(api, upgrade, after, until)) {
      after = event.sequence;
      last = event;
      yield event;
      if (ENDED.test(event.type)) return;
      // waiting on would be in vain
      if (event.type === 'upgrade-needs-attention')
        throw new Error(`${upgrade} needs attention: ${JSON.stringify(event.data)}`);
    }
  }
  throw new Error(
    `${upgrade} did not end within ${deadlineMs} ms; its last event is ${JSON.stringify(last)}`,
  );
}

async function* streamOnce(
  api: ApiClient,
  upgrade: string,
  after: number,
  until: number,
): AsyncGenerator<HistoryEvent> {
  try {
    const response = await fetch(
      new URL(`/v1/upgrades/${upgrade}/events?after=${after}`, api.url),
      {
        headers: { authorization: `Bearer ${api.token}`, accept: 'text/event-stream' },
        signal: AbortSignal.timeout(Math.max(1, Math.ceil(until - performance.now()))),
      },
    );
    if (!response.ok || response.body === null) return;
    let rest = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines)
        if (line.startsWith('data:')) yield historyEvent.parse(JSON.parse(line.slice(5)));
    }
  } catch (error) {
    // it is being killed, or starts again; or the deadline is over, which the caller sees
    const isOver = error instanceof DOMException && error.name === 'TimeoutError';
    if (!(error instanceof TypeError) && !isOver) throw error;
  }
}
