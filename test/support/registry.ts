import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '#fleet';
import { waitFor } from '#kernel';

export interface RegistryServerOptions {
  /** Basic authentication: an htpasswd file with bcrypt hashes, and who it lets in. */
  readonly htpasswd?: string;
  /** Keeps who asked for what, see `accesses`. Default false. */
  readonly accessLog?: boolean;
  /** Whether it deletes what it is asked to; default true. */
  readonly deletes?: boolean;
  readonly tls?: {
    readonly certificate: string;
    readonly key: string;
    /** Who has no certificate of this CA is not let in. */
    readonly clientCa?: string;
  };
}

/** Somebody whom a registry lets in, and nobody else, that is given this `htpasswd`. */
export const REGISTRY_LOGIN = {
  username: 'puller',
  password: 'not-a-secret',
  /** bcrypt of that. */
  htpasswd: 'puller:$2b$04$abcdefghijklmnopqrstuukiPfWbK4Chx2wQkrCBcuNQWm8D.wM3i\n',
};

/** Debian's docker-registry on the loopback, with a store of its own. */
export interface RegistryServer {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  readonly folder: string;
  /** A line for each request so far, as Apache's combined format has them, with the user agent. */
  accesses(): string[];
  /** Upload sessions that are open for a repository. */
  uploads(repository: string): number;
  stop(): Promise<void>;
}

export async function startRegistryServer(
  options: RegistryServerOptions = {},
): Promise<RegistryServer> {
  const folder = mkdtempSync(join(tmpdir(), 'liftlock-registry-'));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const { htpasswd, tls, accessLog = false, deletes = true } = options;
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: !accessLog } },
    storage: {
      filesystem: { rootdirectory: join(folder, 'store') },
      delete: { enabled: deletes },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: host,
      ...(tls === undefined ? {} : { tls: tlsOf(tls) }),
    },
    ...(htpasswd === undefined
      ? {}
      : { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } }),
  };
  if (htpasswd !== undefined) writeFileSync(join(folder, 'htpasswd'), htpasswd);
  // JSON is YAML
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  const logFile = join(folder, 'log');
  const log = openSync(logFile, 'a');
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', log, log],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  await waitFor(() => fetchable(`${tls === undefined ? 'http' : 'https'}://${host}/v2/`), {
    what: `docker-registry (${readFileSync(logFile, 'utf8').slice(-500)})`,
    deadlineMs: 60_000,
  });
  return {
    host,
    folder,
    accesses: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => line.includes(' HTTP/1.1" ')),
    uploads(repository) {
      const sessions = `store/docker/registry/v2/repositories/${repository}/_uploads`;
      try {
        return readdirSync(join(folder, sessions)).length;
      } catch {
        return 0;
      }
    },
    async stop() {
      process.off('exit', kill);
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function tlsOf({ certificate, key, clientCa }: NonNullable<RegistryServerOptions['tls']>): object {
  return { certificate, key, ...(clientCa === undefined ? {} : { clientcas: [clientCa] }) };
}

/** Any answer will do; a certificate that nobody trusts is one. */
async function fetchable(url: string): Promise<boolean> {
  try {
    await fetch(url);
    return true;
  } catch (error) {
    const code = (error as { cause?: { code?: string } }).cause?.code ?? '';
    return /CERT|SELF_SIGNED|VERIFY|SIGNATURE/.test(code);
  }
}
