import { PassThrough } from 'node:stream';

/** Takes what comes on standard error, and says what of it are words about what went wrong. */
export interface ErrorText {
  readonly add: (piece: Buffer) => void;
  toString(): string;
}

/** The last bytes of a text that may be long: enough for an error's message. */
export class Tail implements ErrorText {
  private text = '';

  constructor(private readonly limit = 4000) {}

  readonly add = (piece: Buffer): void => {
    this.text = (this.text + piece.toString('utf8')).slice(-this.limit);
  };

  toString(): string {
    return this.text.trim();
  }
}

/** A list, and after the last zero byte of all words about what went wrong, which hold none. */
export class ListThenWords implements ErrorText {
  readonly list = new PassThrough();
  /** From the last zero byte on. */
  private held: Buffer[] = [];

  /** What the reader of the list lags behind is kept in memory, as the list itself will be. */
  readonly add = (piece: Buffer): void => {
    const last = piece.lastIndexOf(0);
    if (last < 0) {
      this.held.push(piece);
      return;
    }
    for (const one of [...this.held, piece.subarray(0, last)]) this.list.write(one);
    this.held = [piece.subarray(last)];
  };

  toString(): string {
    const words = new Tail();
    for (const piece of this.held) words.add(piece);
    return words.toString().replaceAll('\0', '').trim();
  }
}
