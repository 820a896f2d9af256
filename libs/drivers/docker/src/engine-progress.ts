import type { Readable } from 'node:stream';
import type { StepContext } from '#drivers/core';
import type { Engine } from './engine.js';
import { abortedBy } from './errors.js';
import type { LayerProgress } from './pulled-layers.js';

/** One line of what the engine tells while it pulls, loads or imports an image. */
interface Progress extends LayerProgress {
  readonly stream?: string;
  readonly error?: string;
}

/**
 * The engine answers 200 before it begins: what went wrong is told in the stream, one JSON a line.
 * @param hear is given what is told of layers
 */
export async function follow(
  engine: Engine,
  context: Pick<StepContext, 'signal' | 'log'>,
  answer: Readable,
  what: string,
  hear: (progress: LayerProgress) => void = () => undefined,
): Promise<void> {
  const take = (line: string): void => {
    const progress = JSON.parse(line) as Progress;
    report(context, progress);
    hear(progress);
  };
  const end = (): void => void answer.destroy();
  context.signal.addEventListener('abort', end, { once: true });
  try {
    await engine.call(what, context.signal, async () => {
      let rest = '';
      for await (const chunk of answer.setEncoding('utf8')) {
        const lines = (rest + String(chunk)).split(/\r?\n/);
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') take(line);
      }
      if (rest.trim() !== '') take(rest);
    });
  } finally {
    context.signal.removeEventListener('abort', end);
  }
  if (context.signal.aborted) throw abortedBy(context.signal, what);
}

function report(context: Pick<StepContext, 'log'>, progress: Progress): void {
  if (progress.error !== undefined) throw new Error(progress.error);
  // the counting of bytes would drown the log: it is told from time to time
  if (progress.progressDetail?.current !== undefined) return;
  const text = (progress.stream ?? progress.status ?? '').trim();
  if (text !== '') context.log(progress.id === undefined ? text : `${progress.id}: ${text}`);
}
