import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { LiftlockError } from '#kernel';
import type { Credentials } from '../http/settings.js';

const HELPER_DEADLINE_MS = 30_000;
/** What Docker files Docker Hub's password under. */
const HUB_KEYS = [
  'https://index.docker.io/v1/',
  'index.docker.io',
  'docker.io',
  'registry-1.docker.io',
];

interface DockerConfig {
  readonly auths: ReadonlyMap<string, Entry>;
  readonly credsStore: string | undefined;
  readonly credHelpers: ReadonlyMap<string, string>;
}

interface Entry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** Finds the credentials that a person signed in with. */
export interface CredentialStore {
  /** @param repository entries for a part of a registry (containers-auth.json(5)) come before the registry's own */
  find(registry: string, repository: string): Promise<Credentials | undefined>;
}

/**
 * Docker's `config.json`, and `auth.json` of podman and skopeo, which has the same form: the first file that knows the registry.
 * Files are read each time: who signs in while we run is signed in.
 */
export class DockerConfigStore implements CredentialStore {
  constructor(
    private readonly files: readonly string[],
    /** PATH and HOME for the credential helpers. */
    private readonly environment: Readonly<Record<string, string | undefined>>,
  ) {}

  async find(registry: string, repository: string): Promise<Credentials | undefined> {
    for (const file of this.files) {
      const config = await readConfig(file);
      const found = config && (await this.inConfig(config, registry, repository));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private async inConfig(
    config: DockerConfig,
    registry: string,
    repository: string,
  ): Promise<Credentials | undefined> {
    for (const key of keysOf(registry, repository)) {
      const helper = config.credHelpers.get(key);
      const found = helper === undefined ? undefined : await this.ask(helper, key);
      if (found !== undefined) return found;
      const entry = config.auths.get(key);
      const written = entry === undefined ? undefined : credentialsOf(entry);
      if (written !== undefined) return written;
    }
    if (config.credsStore === undefined) return undefined;
    const [server = registry] = registry === 'docker.io' ? HUB_KEYS : [registry];
    return this.ask(config.credsStore, server);
  }

  /** The protocol of docker-credential-helpers: the server on standard input, JSON on standard output. */
  private async ask(helper: string, server: string): Promise<Credentials | undefined> {
    if (!/^[\w.-]+$/.test(helper))
      throw new LiftlockError(
        'misconfigured',
        `${JSON.stringify(helper)} is not a credential helper's name`,
      );
    const program = `docker-credential-${helper}`;
    const { failed, output } = await run(program, server, { ...this.environment });
    if (failed !== undefined) {
      // that there is none is told as a failure, on standard output
      if (/credentials not found/i.test(output)) return undefined;
      throw new LiftlockError(
        'misconfigured',
        `the credential helper ${program} failed for ${server} (${failed}): see that it is installed and works: echo ${server} | ${program} get`,
      );
    }
    const answer = parseObject(output, `the answer of ${program}`);
    const { Username: username, Secret: secret } = answer;
    if (typeof secret !== 'string' || secret === '') return undefined;
    if (username === '<token>') return { identityToken: secret };
    return { username: typeof username === 'string' ? username : '', password: secret };
  }
}

function run(
  program: string,
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<{ failed: string | undefined; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      ['get'],
      { timeout: HELPER_DEADLINE_MS, env },
      (error, stdout) => {
        // the error's message would hold what the helper printed
        const failed = error === null ? undefined : String(error.code ?? error.signal ?? 'unknown');
        resolve({ failed, output: stdout });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** From the narrowest part of a registry to the whole: `host/a/b`, `host/a`, `host`, and as old files write it. */
function keysOf(registry: string, repository: string): string[] {
  const parts = repository.split('/');
  const narrow = parts.map(
    (_, index) => `${registry}/${parts.slice(0, parts.length - index).join('/')}`,
  );
  const whole =
    registry === 'docker.io' ? HUB_KEYS : [registry, `https://${registry}`, `http://${registry}`];
  const old = whole.flatMap((key) => [key, `${key}/v1/`, `${key}/v2/`, `${key}/`]);
  return [...narrow, ...old];
}

function credentialsOf(entry: Entry): Credentials | undefined {
  if (entry.identitytoken) return { identityToken: entry.identitytoken };
  if (entry.registrytoken) return { registryToken: entry.registrytoken };
  if (entry.auth) {
    const decoded = Buffer.from(entry.auth, 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    if (colon === -1) return undefined;
    // old versions padded the password
    return {
      username: decoded.slice(0, colon),
      password: decoded.slice(colon + 1).replace(/\0+$/, ''),
    };
  }
  if (entry.username && entry.password)
    return { username: entry.username, password: entry.password };
  return undefined;
}

async function readConfig(file: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new LiftlockError('misconfigured', `${file} cannot be read (${code ?? String(error)})`, {
      cause: error,
    });
  }
  const config = parseObject(text, file);
  const credsStore = config['credsStore'];
  return {
    auths: new Map(
      Object.entries(objectOr(config['auths'])).map(([key, value]) => [key, objectOr(value)]),
    ),
    credsStore: typeof credsStore === 'string' && credsStore !== '' ? credsStore : undefined,
    credHelpers: new Map(
      Object.entries(objectOr(config['credHelpers'])).map(([key, value]) => [key, String(value)]),
    ),
  };
}

function objectOr(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function parseObject(text: string, what: string): Record<string, unknown> {
  try {
    return objectOr(JSON.parse(text));
  } catch {
    // neither the text nor the parser's message, which quotes it: there may be a password in it
    throw new LiftlockError('misconfigured', `${what} is not valid JSON`);
  }
}
