import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Descriptor } from '../descriptor.js';
import type { BlobSource } from '../registry/blob-source.js';
import { EarlyBody } from './early-body.js';

const blob: Descriptor = {
  mediaType: 'application/octet-stream',
  digest: `sha256:${'0'.repeat(64)}`,
  size: 3,
  annotations: {},
  urls: [],
};
const never = new AbortController().signal;

/** Three pieces, each when it is asked for; `silent`: none at all, until it is called back. */
class Pieces implements BlobSource {
  readonly name = 'pieces';
  readonly log: string[] = [];

  constructor(
    readonly isRemote: boolean,
    private readonly isSilent = false,
  ) {}

  async *read(
    _blob: unknown,
    { offset = 0, signal }: { offset?: number; signal?: AbortSignal },
  ): AsyncGenerator<Buffer, void, undefined> {
    this.log.push(`from ${offset}`);
    try {
      if (this.isSilent)
        await new Promise((_, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      for (let at = offset; at < 3; at += 1) {
        this.log.push(`piece ${at}`);
        yield Buffer.of(at);
      }
    } finally {
      this.log.push('closed');
    }
  }
}

async function all(pieces: AsyncIterable<Buffer>): Promise<number[]> {
  const bytes: number[] = [];
  for await (const piece of pieces) bytes.push(...piece);
  return bytes;
}

test('one piece is read beforehand; it is the first of what is read, once', async () => {
  const source = new Pieces(true);
  const body = new EarlyBody(source, blob, never);
  body.begin();
  body.begin();
  await turn();
  expect(source.log).toEqual(['from 0', 'piece 0']);
  expect(await all(body.read(blob, {}))).toEqual([0, 1, 2]);
  expect(await all(body.read(blob, { offset: 1 }))).toEqual([1, 2]);
  expect(await all(body.read(blob, {}))).toEqual([0, 1, 2]);
  expect(source.log.filter((line) => line.startsWith('from'))).toEqual([
    ...['from 0', 'from 1', 'from 0'],
  ]);
});

test.each([false, true])(
  'what nobody wants is closed, also before it came (%s)',
  async (silent) => {
    const source = new Pieces(true, silent);
    const body = new EarlyBody(source, blob, never);
    body.begin();
    await turn();
    await body.end();
    expect(source.log.at(-1)).toBe('closed');
    expect(source.log).not.toContain('piece 1');
  },
);

test('a source that is near is asked when its body is wanted', async () => {
  const source = new Pieces(false);
  const body = new EarlyBody(source, blob, never);
  body.begin();
  await turn();
  expect(source.log).toEqual([]);
  expect(await all(body.read(blob, {}))).toEqual([0, 1, 2]);
});
