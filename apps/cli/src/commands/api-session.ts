import { interruptible } from '#fleet';
import { findAddress } from '../api/address.js';
import { ApiClient } from '../api/client.js';
import { readEnv } from '../env.js';
import type { Format, Output } from '../output.js';
import { coloursOf, type Colours } from '../show/colours.js';

/** What every command that asks the API is given. */
export interface Session {
  readonly client: ApiClient;
  readonly output: Output;
  readonly format: Format;
  readonly colours: Colours;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface ApiOptions {
  readonly server?: string;
  readonly token?: string;
  readonly output: Format;
}

/** Runs a command's work with a client; Ctrl-C ends what it waits for. */
export async function withSession<T>(
  output: Output,
  options: ApiOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const env = readEnv();
  const address = findAddress(options, env);
  const terminal = options.output === 'json' ? output.isErrorTerminal : output.isTerminal;
  return interruptible((signal) =>
    work({
      client: new ApiClient(address, signal),
      output,
      format: options.output,
      colours: coloursOf(terminal && env.colours),
      signal,
    }),
  );
}
