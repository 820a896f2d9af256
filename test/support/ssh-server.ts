import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { findProgram, freePort, install } from '#fleet';
import { waitFor } from '#kernel';

export interface SshServerOptions {
  /** More lines of sshd_config, before the usual ones: sshd takes the first of each. */
  readonly config?: readonly string[];
  /** Options before the key in authorized_keys, such as `restrict`. */
  readonly keyOptions?: string;
}

/** Debian's own sshd on a free port of loopback, with keys of its own; it ends with the test process. */
export class SshServer {
  private child: ChildProcess | undefined;
  private readonly endWithUs = (): void => void this.child?.kill('SIGKILL');

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async start(options: SshServerOptions = {}): Promise<SshServer> {
    const folder = mkdtempSync(join(tmpdir(), 'liftlock-sshd-'));
    await install(
      [
        {
          what: 'sshd',
          packages: ['openssh-server'],
          present: () => findProgram('sshd') !== undefined,
        },
      ],
      { logFile: join(folder, 'apt.log') },
    );
    const server = new SshServer(folder, await freePort());
    for (const name of ['host', 'user', 'stranger']) server.makeKey(name);
    server.makeKey('locked', 'open sesame');
    const keys = ['user', 'locked'].map((name) =>
      `${options.keyOptions ?? ''} ${server.file(`${name}.pub`).trim()}`.trim(),
    );
    writeFileSync(server.path('authorized_keys'), `${keys.join('\n')}\n`);
    // where it is not made by a service manager
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    writeFileSync(
      server.path('sshd_config'),
      [
        ...(options.config ?? []),
        `Port ${server.port}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${server.path('host')}`,
        `AuthorizedKeysFile ${server.path('authorized_keys')}`,
        `PidFile ${server.path('pid')}`,
        ...['PermitRootLogin prohibit-password', 'PasswordAuthentication no', 'UsePAM no'],
        ...['StrictModes no', 'AllowTcpForwarding no', ''],
      ].join('\n'),
    );
    await server.listen();
    return server;
  }

  /** `ssh://…` with this socket over there. */
  endpoint(socketPath: string): string {
    return `ssh://${userInfo().username}@127.0.0.1:${this.port}${socketPath}`;
  }

  /** Text of `user` (a private key), `host.pub` … */
  file(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  /** A line of known_hosts for a public key; default: the server's own. */
  knownHosts(publicKey = this.file('host.pub')): string {
    return `[127.0.0.1]:${this.port} ${publicKey}`;
  }

  async listen(): Promise<void> {
    const program = findProgram('sshd') ?? 'sshd';
    const child = spawn(program, ['-D', '-e', '-f', this.path('sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    this.child = child;
    process.once('exit', this.endWithUs);
    await waitFor(
      async () => {
        if (child.exitCode !== null) throw new Error(`sshd ended: ${said}`);
        return accepts(this.port);
      },
      { what: 'sshd answers', deadlineMs: 60_000 },
    );
  }

  /** Ends it with all its sessions, as when its host goes away. */
  async kill(): Promise<void> {
    const child = this.child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const sessions = descendants(child.pid);
    const ended = once(child, 'exit');
    for (const pid of [child.pid, ...sessions]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended by itself
      }
    }
    await ended;
    process.off('exit', this.endWithUs);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private path(name: string): string {
    return join(this.folder, name);
  }

  private makeKey(name: string, passphrase = ''): void {
    const keygen = findProgram('ssh-keygen') ?? 'ssh-keygen';
    execFileSync(keygen, ['-q', '-t', 'ed25519', '-N', passphrase, '-f', this.path(name)]);
    chmodSync(this.path(name), 0o600);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function descendants(pid: number): number[] {
  const parents = readdirSync('/proc').flatMap((name): Array<[number, number]> => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      return [[Number(name), Number(/^PPid:\s*(\d+)/m.exec(status)?.[1])]];
    } catch {
      return []; // it ended in between
    }
  });
  const below = (of: number): number[] =>
    parents.flatMap(([child, parent]) => (parent === of ? [child, ...below(child)] : []));
  return below(pid);
}
