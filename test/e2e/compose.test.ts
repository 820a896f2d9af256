import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { APPS } from '#contracts';
import { readFleet, runDown } from '#fleet';
import { waitFor } from '#kernel';
import { ApiClient } from '../support/api-client.js';
import { BareMachine } from '../support/bare-machine.js';
import { ComposeFleet } from '../support/compose-fleet.js';
import { Guestbook } from './guestbook.js';

const fleet = new ComposeFleet();
let api: ApiClient;
let book: Guestbook;

beforeAll(async () => {
  await fleet.prepare();
  await fleet.do('up', '--detach', '--no-build');
  api = await clientOf(fleet);
}, 900_000); // images are made and a fleet starts: a minute or two on a machine of its own
afterAll(() => fleet.remove(), 180_000);

async function clientOf({ url }: ComposeFleet): Promise<ApiClient> {
  await waitFor(async () => (await fetch(`${url}/health/ready`)).ok, {
    what: 'the gateway is ready',
    deadlineMs: 300_000,
  });
  return new ApiClient(url, await fleet.bootstrapToken());
}

describe('docker-compose.yml, on a base that debootstrap made', () => {
  it('every service is ready, runs as nobody in particular, and sees no password but its own', async () => {
    const look = `fetch('http://127.0.0.1:7480/health/ready').then(({ ok }) =>
      console.log(ok, process.getuid(), fs.readdirSync('/config').join()))`;
    for (const app of APPS) {
      const ready = async (): Promise<string | false> => {
        const text = await fleet.inside(app, 'node', '-e', look);
        return text.startsWith('true') && text;
      };
      const seen = await waitFor(ready, { what: `${app} is ready`, deadlineMs: 300_000 });
      expect(seen).toBe('true 10001 service.env');
    }
  });

  describe('a guest book on the engine of this machine', () => {
    beforeEach(async () => {
      const hosts = await fleet.inside('verifier', 'getent', 'hosts', 'host.docker.internal');
      book = await Guestbook.create(api, fleet.engineHost, {
        engineHost: 'unix:///var/run/docker.sock',
        address: hosts.split(/\s/)[0] ?? '',
        seenAs: 'host.docker.internal',
      });
    });
    afterEach(() => book.remove());

    it('is upgraded with its data; the fleet, taken down and up again, still knows of it', async () => {
      const { id } = await book.upgrade('2.0');
      const end = await api.untilEnded(id);
      expect(end.state, end.message).toBe('succeeded');
      expect(await book.version()).toBe('2.0');
      await fleet.down('--timeout', '20');
      await fleet.do('up', '--detach', '--no-build');
      const again = await clientOf(fleet);
      expect(again.token).toBe(api.token);
      expect(await again.get(id)).toEqual(end);
    });

    it('a version that breaks its data is let down again, data byte for byte', async () => {
      const before = await book.dataDigest();
      const { id } = await book.upgrade('3.0');
      const end = await api.untilEnded(id);
      expect(end.state, end.message).toBe('rolled_back');
      expect(await book.version()).toBe('1.0');
      expect(await book.dataDigest()).toBe(before);
    });
  });
});

/** What `./liftlock up` cannot find, and cannot install. */
const SERVERS = ['nats-server', 'redis-server', 'apt-get', 'postgres', 'initdb'];

describe('./liftlock up on a machine without the servers, and without packages that bring them', () => {
  const machine = new BareMachine(SERVERS);
  afterAll(() => machine.remove(), 120_000);

  it('takes them from Docker Compose: an upgrade runs, down leaves no container, up again has the data', async () => {
    const env = fleet.serverImages();
    const { folder } = machine;
    expect(await machine.up(env)).toMatch(
      /by Docker Compose: PostgreSQL, nats-server, redis-server[^]*\nup in /,
    );
    const first = readFleet(folder);
    const own = await Guestbook.create(
      new ApiClient(first?.url ?? '', first?.token ?? ''),
      fleet.engineHost,
    );
    const { id } = await own.upgrade('2.0');
    const end = await own.api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    await own.remove();
    // its container runs on, and nobody is there who would stop it with the others
    await machine.killClient('nats');
    expect(await machine.containers(env)).toHaveLength(3);
    expect(await runDown({ folder, log: () => undefined })).toBe(0);
    expect(await machine.containers(env)).toEqual([]);
    await machine.up(env);
    const again = readFleet(folder);
    expect(await new ApiClient(again?.url ?? '', again?.token ?? '').get(id)).toEqual(end);
    expect(await runDown({ folder, log: () => undefined })).toBe(0);
    expect(await machine.containers(env)).toEqual([]);
  });

  it('and without Docker Compose: one line says what is missing and all that helps', async () => {
    const bare = new BareMachine([...SERVERS, 'docker', 'docker-compose']);
    const said = await bare.up(fleet.serverImages()).catch((error: unknown) => String(error));
    expect(said).toMatch(
      /missing: PostgreSQL, nats-server, redis-server\. Install .* Or have Docker Compose .*: they bring the servers/,
    );
    await bare.remove();
  });
});
