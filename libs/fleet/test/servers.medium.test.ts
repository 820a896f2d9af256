import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as tcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { isAlive, isPortFree, startNats, startPostgres, startRedis, withClient } from '#fleet';
import { waitFor } from '#kernel';
import { freshNats, freshPostgres, freshRedis } from '../../../test/support/index.js';

const cleanups: (() => Promise<void>)[] = [];
afterAll(async () => {
  await Promise.all(cleanups.map((cleanup) => cleanup()));
});

describe('PostgreSQL', () => {
  test('restarts on the same port with its data, also after SIGKILL, and leaves no process', async () => {
    const { server, url, stop } = await freshPostgres();
    cleanups.push(stop);
    const { port } = server;
    await withClient(url, (client) => client.query('CREATE TABLE kept AS SELECT 7 AS n'));
    await server.restart();
    const before = server.identity;
    await server.kill();
    expect(isAlive(before)).toBe(false);
    await server.restart();
    expect(server.port).toBe(port);
    const { rows } = await withClient(url, (client) => client.query('SELECT n FROM kept'));
    expect(rows).toEqual([{ n: 7 }]);
    await server.stop();
    expect(server.isRunning()).toBe(false);
    expect(await isPortFree(port)).toBe(true);
  });

  test('waits, when it was killed, for the sessions that still hold its memory', async () => {
    const { server, url, stop } = await freshPostgres();
    cleanups.push(stop);
    const client = new pg.Client(url);
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const session = rows[0]?.pid ?? 0;
    expect(session).toBeGreaterThan(0);
    process.kill(session, 'SIGSTOP');
    let restarted: Promise<void>;
    try {
      await server.kill();
      restarted = server.restart();
      const isRefused = (): boolean =>
        readFileSync(server.logFile, 'utf8').includes('pre-existing shared memory block');
      await Promise.race([
        restarted,
        waitFor(isRefused, { what: 'its refusal', deadlineMs: 60_000 }),
      ]);
    } finally {
      process.kill(session, 'SIGCONT');
    }
    await restarted;
    expect(await server.answers()).toBe(true);
    await client.end().catch(() => undefined);
  });

  test('refuses who has not the password', async () => {
    const { url, stop } = await freshPostgres();
    cleanups.push(stop);
    const wrong = new URL(url);
    wrong.password = 'guessed';
    await expect(withClient(wrong.href, (client) => client.query('SELECT 1'))).rejects.toThrow(
      /password authentication failed/,
    );
  });

  test('uses a folder that its user can walk to when the one given is closed', async () => {
    const closed = mkdtempSync(join(tmpdir(), 'liftlock-closed-')); // mode 0700
    const server = await startPostgres({
      folder: join(closed, 'deep'),
      password: 'p',
      fsync: false,
      tied: true,
    });
    await withClient(server.url, async (client) => {
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
      const folder = rows[0]?.data_directory ?? '';
      expect(existsSync(folder)).toBe(true);
      expect(folder.startsWith(closed)).toBe(process.getuid?.() !== 0);
    });
    await server.remove();
    rmSync(closed, { recursive: true });
  });

  test('begins anew when its folder was removed, with data elsewhere that has another password', async () => {
    const closed = mkdtempSync(join(tmpdir(), 'liftlock-closed-'));
    const start = (password: string) =>
      startPostgres({ folder: join(closed, 'deep'), password, fsync: false, tied: true });
    const before = await start('old');
    await before.stop();
    const again = await start('old');
    await again.stop();
    cleanups.push(() => before.remove());
    rmSync(join(closed, 'deep'), { recursive: true });
    const anew = await start('new');
    await expect(anew.answers()).resolves.toBe(true);
    await anew.remove();
    rmSync(closed, { recursive: true });
  });
});

describe('nats-server', () => {
  test('keeps messages over a restart, loses them when wiped, on one port', async () => {
    const nats = await freshNats();
    cleanups.push(nats.stop);
    const { port } = nats.server;
    const count = async (): Promise<number | undefined> => {
      const connection = await connect({ servers: nats.url, ...nats.admin });
      try {
        const manager = await jetstreamManager(connection);
        return await manager.streams.info('KEEP').then(
          (info) => info.state.messages,
          () => undefined,
        );
      } finally {
        await connection.close();
      }
    };
    const connection = await connect({ servers: nats.url, ...nats.admin });
    await (await jetstreamManager(connection)).streams.add({ name: 'KEEP', subjects: ['keep.>'] });
    await jetstream(connection).publish('keep.one', 'x');
    await connection.close();
    await nats.server.restart();
    expect(await count()).toBe(1);
    await nats.server.wipe();
    expect(await count()).toBeUndefined();
    expect(nats.server.port).toBe(port);
  });

  test('denies a user all that its list does not hold, also when the list is empty', async () => {
    const deaf = {
      user: 'deaf',
      password: 'd',
      publish: { allow: [] },
      subscribe: { allow: ['liftlock.event.a.>'] },
    };
    const nats = await freshNats([deaf]);
    cleanups.push(nats.stop);
    const connection = await connect({ servers: nats.url, user: 'deaf', pass: 'd' });
    const failure = new Promise<string>((resolve) => {
      void (async () => {
        for await (const status of connection.status())
          if (status.type === 'error') resolve(status.error.message);
      })();
    });
    connection.publish('anything', 'x');
    await connection.flush();
    expect(await failure).toMatch(/Permissions Violation.*anything/);
    await connection.close();
  });

  test('takes new users while it runs', async () => {
    const nats = await freshNats();
    cleanups.push(nats.stop);
    const allow = { allow: ['>'] };
    await nats.server.setUsers([{ user: 'late', password: 'l', publish: allow, subscribe: allow }]);
    await expect
      .poll(() =>
        connect({ servers: nats.url, user: 'late', pass: 'l', reconnect: false }).then(
          (c) => c.close().then(() => true),
          () => false,
        ),
      )
      .toBe(true);
  });
});

describe('redis-server', () => {
  test('keeps what it acknowledged over SIGKILL, loses it when wiped, on one port', async () => {
    const redis = await freshRedis();
    cleanups.push(redis.stop);
    const { port } = redis.server;
    const ask = async <T>(question: (client: Redis) => Promise<T>): Promise<T> => {
      const client = new Redis(redis.url);
      try {
        return await question(client);
      } finally {
        client.disconnect();
      }
    };
    await ask((client) => client.set('kept', '1'));
    await redis.server.kill();
    await redis.server.restart();
    expect(await ask((client) => client.get('kept'))).toBe('1');
    await redis.server.wipe();
    expect(await ask((client) => client.get('kept'))).toBeNull();
    expect(redis.server.port).toBe(port);
  });

  test('refuses who has not the password', async () => {
    const { server, stop } = await freshRedis();
    cleanups.push(stop);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = tcp(server.port, '127.0.0.1', () => socket.write('PING\r\n'));
      socket.once('data', (data) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.once('error', reject);
    });
    expect(answer).toMatch(/^-NOAUTH/);
  });
});

describe('ports', () => {
  test('a taken port is not fought for: another one is chosen', async () => {
    const first = await freshRedis();
    cleanups.push(first.stop);
    const folder = mkdtempSync(join(tmpdir(), 'liftlock-second-'));
    const second = await startRedis({ folder, password: 'p', port: first.server.port, tied: true });
    expect(second.port).not.toBe(first.server.port);
    expect(await first.server.answers()).toBe(true);
    await second.remove();
    rmSync(folder, { recursive: true });
  });

  test('a server that dies at once says why', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'liftlock-broken-'));
    const twice = {
      user: '',
      password: '',
      publish: { allow: ['a..b'] },
      subscribe: { allow: [] },
    };
    await expect(startNats({ folder, users: [twice], tied: true })).rejects.toThrow(
      /nats ended before it answered: .*a\.\.b/,
    );
    rmSync(folder, { recursive: true });
  });
});
