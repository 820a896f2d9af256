import type { Client, ClientChannel } from 'ssh2';
import type { Duplex } from 'node:stream';
import type { Credentials } from '#contracts';
import type { SecretStore } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Route } from './engine-agent.js';
import type { EngineName } from './engine-name.js';
import { unreachable } from './errors.js';
import { openSsh, type SshPlace } from './ssh-client.js';
import { SshStream, reset } from './ssh-stream.js';

/** Channels of one SSH connection: sshd allows 10 sessions on one (MaxSessions), and many share one TCP window badly. */
const MAX_CHANNELS = 8;

/**
 * `forward`: sshd itself connects to the engine's socket (as `ssh -L`). `command`: `docker system dial-stdio` over there, as Docker's
 * own client does; for hosts that forbid forwarding, and for keys that may run nothing else.
 */
type Way = 'forward' | 'command';

interface Shared {
  readonly client: Promise<Client>;
  readonly streams: Set<SshStream>;
  channels: number;
}

/** An engine on a host that is reached by SSH: few connections, and on each a channel for every call under way. */
export class SshRoute implements Route {
  private readonly open = new Set<Shared>();
  private way: Way = 'forward';

  constructor(
    private readonly engine: EngineName,
    private readonly place: SshPlace,
    private readonly references: Credentials,
    private readonly secrets: SecretStore,
  ) {}

  async connect(): Promise<Duplex> {
    const shared = this.share();
    shared.channels += 1;
    try {
      const client = await shared.client;
      const stream = await this.channel(client);
      shared.streams.add(stream);
      stream.once('close', () => {
        shared.streams.delete(stream);
        shared.channels -= 1;
      });
      return stream;
    } catch (error) {
      shared.channels -= 1;
      throw error;
    }
  }

  close(): void {
    for (const shared of this.open)
      void shared.client.then(
        (client) => client.end(),
        () => undefined,
      );
    this.open.clear();
  }

  private share(): Shared {
    const free = [...this.open].find(({ channels }) => channels < MAX_CHANNELS);
    if (free !== undefined) return free;
    const shared: Shared = {
      client: openSsh(this.engine, this.place, this.references, this.secrets),
      streams: new Set(),
      channels: 0,
    };
    this.open.add(shared);
    const drop = (): void => {
      this.open.delete(shared);
      for (const stream of shared.streams) stream.destroy(reset());
    };
    shared.client.then((client) => client.once('close', drop), drop);
    return shared;
  }

  private async channel(client: Client): Promise<SshStream> {
    const first = this.way;
    try {
      return await this.channelBy(first, client);
    } catch (error) {
      if (error instanceof LiftlockError) throw error;
      const other = first === 'forward' ? 'command' : 'forward';
      try {
        return await this.channelBy(other, client, error);
      } catch {
        throw unreachable(this.engine, error as Error, this.socketHint());
      }
    }
  }

  private async channelBy(way: Way, client: Client, before?: unknown): Promise<SshStream> {
    const channel = await opened((done) => {
      if (way === 'forward') client.openssh_forwardOutStreamLocal(this.place.path, done);
      else client.exec(this.command(), done);
    });
    const stream =
      way === 'forward'
        ? new SshStream(channel)
        : new SshStream(channel, (exitCode, stderr) =>
            this.commandFailed(exitCode, stderr, before),
          );
    // what was only opened may still be of no use
    channel.once('data', () => (this.way = way));
    return stream;
  }

  private command(): string {
    const path = `'${this.place.path.replaceAll("'", String.raw`'\''`)}'`;
    return `docker --host unix://${path} system dial-stdio`;
  }

  private commandFailed(exitCode: number | null, stderr: string, before: unknown): LiftlockError {
    const words = stderr.split('\n').at(-1) ?? '';
    const forwarding =
      before === undefined
        ? ''
        : ` (and its socket cannot be forwarded: ${(before as Error).message})`;
    const error = new Error(
      `docker system dial-stdio there ended with ${exitCode}: ${words}${forwarding}`,
    );
    return unreachable(this.engine, error, this.socketHint());
  }

  private socketHint(): string {
    return `is it running there, and may ${this.place.user} open ${this.place.path} (the group docker)?`;
  }
}

function opened(
  open: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    // a connection that has just ended throws at once
    open((error, channel) =>
      error === undefined || error === null ? resolve(channel) : reject(error),
    );
  });
}
