import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';

/** The lines of a stream that are not empty; what stands after the last line end is none, since the rest of it is missing. */
export async function* linesOf(stream: Readable): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const pieces = (rest + decoder.write(chunk)).split('\n');
    rest = pieces.pop() ?? '';
    for (const line of pieces) if (line !== '') yield line;
  }
}
