import { Duplex } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { Tail } from '#drivers/data';

/** How a command at the other end ended, when it did not end well. */
export type CommandFailed = (exitCode: number | null, stderr: string) => Error;

/**
 * A channel as HTTP needs its socket: an error where the channel only ends, back pressure both ways, each direction ended on its
 * own, and `destroy` that means it. A write to a channel that is gone would never be answered by ssh2 itself.
 */
export class SshStream extends Duplex {
  private readonly stderr = new Tail();
  private exitCode: number | null | undefined;
  private atEnd = false;
  private isOver = false;

  constructor(
    private readonly channel: ClientChannel,
    /** For a channel that is a command's; the end of its output is then told only when it is known how it ended. */
    private readonly failed?: CommandFailed,
  ) {
    super({ allowHalfOpen: true });
    channel.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) channel.pause();
    });
    channel.stderr.on('data', this.stderr.add);
    channel.on('exit', (code: number | null) => (this.exitCode = code));
    channel.on('end', () => {
      if (failed === undefined) this.endOutput();
    });
    channel.on('close', () => this.over());
    channel.on('error', (error: Error) => this.destroy(error));
  }

  /** Of sockets; a channel has nothing of these. */
  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  override _read(): void {
    this.channel.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.isOver) done(reset());
    else this.channel.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.isOver) this.channel.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.isOver) this.channel.close();
    done(error);
  }

  private endOutput(): void {
    if (this.atEnd) return;
    this.atEnd = true;
    this.push(null);
  }

  private over(): void {
    this.isOver = true;
    if (this.failed !== undefined && this.exitCode !== 0 && this.exitCode !== undefined) {
      this.destroy(this.failed(this.exitCode, this.stderr.toString()));
      return;
    }
    this.endOutput();
    // as a socket does: what is still to be written is lost, and its writer learns it
    this.once('end', () => this.destroy(this.writableLength > 0 ? reset() : undefined));
  }
}

/** As a socket says it. */
export function reset(): Error {
  return Object.assign(new Error('the SSH connection ended'), { code: 'ECONNRESET' });
}
