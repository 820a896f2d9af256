import { describe, expect, it } from 'vitest';
import { readServerSentEvents, type ServerSentEvent } from './server-sent-events.js';

async function read(...chunks: readonly (string | Uint8Array)[]) {
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks)
      yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
  }
  const events: (ServerSentEvent | undefined)[] = [];
  for await (const event of readServerSentEvents(body())) events.push(event);
  return events;
}

const whole =
  'retry: 1000\n\nid: 1\nevent: a\ndata: {"ü":1}\n\n: alive\n\nid: 2\ndata: x\ndata: y\n\n';

describe('an event stream', () => {
  it('gives events with their ids, and comments as signs of life', async () => {
    expect(await read(whole)).toEqual([
      { id: '1', event: 'a', data: '{"ü":1}' },
      undefined,
      { id: '2', event: 'message', data: 'x\ny' },
    ]);
  });

  it('is the same however the network cuts it, also within a character or a line end', async () => {
    const bytes = new TextEncoder().encode(whole.replaceAll('\n', '\r\n'));
    const wanted = await read(whole);
    for (const size of [1, 2, 3, 7])
      expect(
        await read(
          ...Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
            bytes.slice(i * size, (i + 1) * size),
          ),
        ),
      ).toEqual(wanted);
  });

  it('an event that broke off in its middle is none', async () => {
    expect(await read('id: 1\ndata: a\n\nid: 2\ndata: b\n')).toEqual([
      { id: '1', event: 'message', data: 'a' },
    ]);
  });

  it('a line without an end does not fill the memory', async () => {
    const block = 'x'.repeat(1024 * 1024);
    await expect(read('data: ', block, block, block, block, block)).rejects.toThrow('does not end');
  });
});
