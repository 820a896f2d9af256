import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fleetFolder } from '#fleet';
import { LiftlockError } from '#kernel';
import { readEnv, type CliEnv } from '../env.js';

/** Where the API is, and what lets us in. */
export interface ApiAddress {
  readonly url: string;
  readonly token: string;
}

const clientFile = z.object({ url: z.string(), token: z.string() });

/**
 * The command line's, else the environment's, else what `liftlock up` has written into `.liftlock/client.json`. The file's token
 * goes to the file's address only: a token must not reach a server that it is not for.
 * @throws LiftlockError `misconfigured` when something is missing, saying how to give it.
 */
export function findAddress(
  given: { readonly server?: string | undefined; readonly token?: string | undefined },
  env: CliEnv = readEnv(),
  folder: string = fleetFolder(),
): ApiAddress {
  const server = given.server ?? env.server;
  const token = given.token ?? env.token;
  const local = server !== undefined && token !== undefined ? undefined : readClientFile(folder);
  const url = server ?? local?.url;
  if (url === undefined)
    throw new LiftlockError(
      'misconfigured',
      'no fleet is known: start one with ./liftlock up, or name one with --server and --token (LIFTLOCK_SERVER, LIFTLOCK_TOKEN)',
    );
  const checked = checkUrl(url);
  const ours = local !== undefined && checkUrl(local.url) === checked;
  const bearer = token ?? (ours ? local.token : undefined);
  if (bearer === undefined)
    throw new LiftlockError(
      'misconfigured',
      `no token for ${checked}: give one with --token or LIFTLOCK_TOKEN`,
    );
  if (!/^[\x21-\x7e]+$/.test(bearer))
    throw new LiftlockError(
      'misconfigured',
      'the token holds blanks or other characters that no token has',
    );
  return { url: checked, token: bearer };
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new LiftlockError(
      'misconfigured',
      `the server's address must be a URL such as http://127.0.0.1:7480, not ${JSON.stringify(text)}`,
    );
  if (url.username !== '' || url.password !== '')
    throw new LiftlockError(
      'misconfigured',
      "the server's address holds a password: give a token with --token instead",
    );
  return url.href;
}

function readClientFile(folder: string): ApiAddress | undefined {
  const file = join(folder, 'client.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new LiftlockError('misconfigured', `${file} cannot be read: ${String(error)}`, {
      cause: error,
    });
  }
  try {
    return clientFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new LiftlockError('misconfigured', `${file} is damaged: ./liftlock up writes it anew`, {
      cause,
    });
  }
}
