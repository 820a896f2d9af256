import type { Readable } from 'node:stream';

/** The fields of an output, each ended by a zero byte; the last one need not be. */
export class ZeroEnded {
  private readonly chunks: AsyncIterator<Buffer>;
  private chunk: Buffer = Buffer.alloc(0);
  /** Where in it the next field begins. */
  private at = 0;
  /** Of a field that goes on in the next chunk. */
  private begun: Buffer[] = [];

  constructor(output: Readable) {
    this.chunks = (output as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /**
   * Hands on one field after the other, up to the last, or to one that is enough: the next call goes on behind it. They are handed on at once and
   * not awaited: a long list has a dozen for each of its entries. What is thrown there ends the output.
   */
  async each(take: (field: Buffer) => 'enough' | undefined): Promise<void> {
    try {
      while (!this.passOn(take)) {
        if (this.at < this.chunk.length) this.begun.push(this.chunk.subarray(this.at));
        const next = await this.chunks.next();
        this.chunk = next.done === true ? Buffer.alloc(0) : next.value;
        this.at = 0;
        if (next.done !== true) continue;
        if (this.begun.length > 0) take(this.whole(this.chunk));
        return;
      }
    } catch (error) {
      await this.chunks.return?.();
      throw error;
    }
  }

  /** What has come. @returns whether it was enough */
  private passOn(take: (field: Buffer) => 'enough' | undefined): boolean {
    for (let end = this.end(); end >= 0; end = this.end()) {
      const field = this.chunk.subarray(this.at, end);
      this.at = end + 1;
      if (take(this.whole(field)) === 'enough') return true;
    }
    return false;
  }

  private end(): number {
    return this.chunk.indexOf(0, this.at);
  }

  private whole(end: Buffer): Buffer {
    if (this.begun.length === 0) return end;
    const all = Buffer.concat([...this.begun, end]);
    this.begun = [];
    return all;
  }
}
