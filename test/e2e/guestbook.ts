import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { freePort } from '#fleet';
import {
  Guestbook as GuestbookService,
  guestbookDocuments,
  GUESTBOOK_VERSIONS,
  imageOf,
  type GuestbookVersion,
} from '../../examples/guestbook/index.js';
import type { ApiClient } from '../support/api-client.js';

const run = promisify(execFile);

/** How a fleet sees this machine, where it runs elsewhere than the tests: in containers. */
export interface SeenByFleet {
  /** The engine's address. */
  readonly engineHost: string;
  readonly address: string;
  readonly seenAs: string;
}

/** The guest book of examples/guestbook with a name, a port and a volume of its own for each test, told to a fleet. */
export class Guestbook extends GuestbookService {
  private constructor(
    readonly api: ApiClient,
    private readonly engineHost: string,
    name: string,
    port: number,
    address: string | undefined,
  ) {
    super({ name, port, engineHost, address });
  }

  static async create(api: ApiClient, engineHost: string, seen?: SeenByFleet): Promise<Guestbook> {
    const name = `book-${randomBytes(4).toString('hex')}`;
    const book = new Guestbook(api, engineHost, name, await freePort(), seen?.address);
    for (const version of GUESTBOOK_VERSIONS) await book.build(version);
    await book.start('1.0');
    const { environment, application, releases } = guestbookDocuments({ ...book.place, ...seen });
    await api.put('environments', environment);
    await api.put('applications', application);
    for (const release of releases) await api.put('releases', release);
    return book;
  }

  image(version: GuestbookVersion): string {
    return imageOf(this, version);
  }

  async docker(...args: string[]): Promise<string> {
    const env = { ...process.env, DOCKER_HOST: this.engineHost };
    return (await run('docker', args, { env, maxBuffer: 64 * 1024 * 1024 })).stdout.trim();
  }

  upgrade(version: GuestbookVersion, policy: object = {}): ReturnType<ApiClient['upgrade']> {
    return this.api.upgrade({
      environment: this.name,
      application: this.name,
      release: `${this.name}-${version}`,
      policy,
    });
  }
}
