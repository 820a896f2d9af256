import ssh2, { type Client, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2';
import type { Credentials, DockerEndpoint } from '#contracts';
import type { SecretStore } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { EngineName } from './engine-name.js';
import { unreachable } from './errors.js';
import { fingerprintOf, keyAmong, knownKeysOf, type KnownKey } from './known-hosts.js';
import { CONNECT_MS } from './route-socket.js';

export type SshPlace = Extract<DockerEndpoint, { kind: 'ssh' }>;

/** The other side is asked so often whether it is still there, in milliseconds … */
const KEEPALIVE_MS = 15_000;
/** … and is gone after so many questions without an answer. */
const KEEPALIVE_COUNT = 3;

/** What a key of this type may sign a handshake with. */
const ALGORITHMS: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'] as ServerHostKeyAlgorithm[],
};

/**
 * A connection to the host, after its key was found among the known ones.
 * @throws LiftlockError `target_untrusted`, `target_refused`, `target_unreachable`, `misconfigured`.
 */
export async function openSsh(
  engine: EngineName,
  place: SshPlace,
  references: Credentials,
  secrets: SecretStore,
): Promise<Client> {
  const [privateKey, passphrase, knownHosts] = await Promise.all(
    [references.key, references.passphrase, references.knownHosts].map(async (reference) =>
      reference === undefined ? undefined : secrets.get(reference),
    ),
  );
  assertKey(engine, references, privateKey ?? '', passphrase);
  const known = knownKeysOf(knownHosts ?? '', place.host, place.port);
  const algorithms = algorithmsOf(engine, place, references, known);
  let seen: Buffer | undefined;
  const config: ConnectConfig = {
    host: place.host,
    port: place.port,
    username: place.user,
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(passphrase === undefined ? {} : { passphrase }),
    // only what the host proves with a known key
    algorithms: { serverHostKey: algorithms },
    hostVerifier: (key: Buffer) => {
      seen = key;
      return keyAmong(known, key)?.revoked === false;
    },
    authHandler: ['publickey'],
    readyTimeout: CONNECT_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_COUNT,
  };
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client));
    // also later ones: they would end the process; whoever uses the connection learns it from `close`
    client.on('error', (error) => reject(sshError(engine, place, known, seen, error)));
    client.once('close', () =>
      reject(unreachable(engine, new Error('it closed the connection at once'))),
    );
    client.connect(config);
  });
}

function assertKey(
  engine: EngineName,
  { key, passphrase: reference }: Credentials,
  privateKey: string,
  passphrase: string | undefined,
): void {
  const parsed = ssh2.utils.parseKey(privateKey, passphrase);
  if (!(parsed instanceof Error)) {
    const [first] = Array.isArray(parsed) ? parsed : [parsed];
    if (first?.isPrivateKey() === true) return;
  }
  const why = parsed instanceof Error ? parsed.message : 'it is a public key';
  throw new LiftlockError(
    'misconfigured',
    `${key} is not a private key that ${engine.name} can be reached with: ${why}` +
      (/encrypted/i.test(why) && reference === undefined
        ? '; name its passphrase as credentials.passphrase'
        : ''),
    { details: { target: engine.name, reference: key } },
  );
}

function algorithmsOf(
  engine: EngineName,
  { host, port }: SshPlace,
  { knownHosts }: Credentials,
  known: readonly KnownKey[],
): ServerHostKeyAlgorithm[] {
  const found = [...new Set(known.flatMap(({ type }) => ALGORITHMS[type] ?? []))];
  if (found.length > 0) return found;
  throw new LiftlockError(
    'target_untrusted',
    `${knownHosts} knows no key of ${engine.name}’s host ${host}${port === 22 ? '' : ` at port ${port}`}: add the lines of ` +
      `ssh-keyscan -p ${port} ${host}, after comparing its fingerprints with the host’s own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)`,
    { details: { target: engine.name, endpoint: engine.endpoint } },
  );
}

function sshError(
  engine: EngineName,
  place: SshPlace,
  known: readonly KnownKey[],
  seen: Buffer | undefined,
  error: Error & { level?: string; code?: string },
): LiftlockError {
  const details = { target: engine.name, endpoint: engine.endpoint };
  const at = `${engine.name} (${engine.endpoint})`;
  if (seen !== undefined && keyAmong(known, seen)?.revoked !== false) {
    const revoked = keyAmong(known, seen)?.revoked === true ? ', which is revoked' : '';
    return new LiftlockError(
      'target_untrusted',
      `the host of ${at} shows the key ${fingerprintOf(seen)}${revoked}, not the one in known_hosts: it was made anew, or someone ` +
        'else answers in its place; nothing was sent to it. If the host is yours, correct known_hosts',
      { cause: error, details },
    );
  }
  if (/no matching host key/i.test(error.message)) {
    return new LiftlockError(
      'target_untrusted',
      `the host of ${at} shows no key of a type that known_hosts has of it (${known.map(({ type }) => type).join(', ')}): ` +
        'see what ssh-keyscan says, compare it with the host’s own keys, and correct known_hosts',
      { cause: error, details },
    );
  }
  if (error.level === 'client-authentication') {
    return new LiftlockError(
      'target_refused',
      `the SSH server of ${at} refused the key: add its public half to ~${place.user}/.ssh/authorized_keys over there`,
      { cause: error, details },
    );
  }
  return unreachable(engine, error);
}
