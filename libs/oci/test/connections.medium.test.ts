import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Registries, type RegistriesOptions, type RegistrySettings } from '#oci';
import { startRegistryServer, type RegistryServer } from '../../../test/support/registry.js';
import { image, push } from './support/images.js';
import { OddRegistry } from './support/odd-registry.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-tls-'));
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  for (const name of ['ca', 'other', 'machine'])
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
  const loopback = ['-addext', 'subjectAltName=IP:127.0.0.1'];
  for (const [name, ca, more] of [
    ['server', 'ca', loopback],
    ['known', 'machine', loopback],
    ['client', 'ca', []],
  ] as const) {
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
      ...more,
    );
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${ca}.pem`,
      '-CAkey',
      `${ca}.key`,
      '-CAcreateserial',
      '-days',
      '2',
      '-copy_extensions',
      'copy',
      '-out',
      `${name}.pem`,
    );
  }
  // what this machine trusts: it is read once, when it is needed first
  process.env['SSL_CERT_FILE'] = join(folder, 'machine.pem');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pem = (name: string): string => readFileSync(join(folder, name), 'utf8');

async function ping(
  host: string,
  settings: RegistrySettings,
  more: RegistriesOptions = {},
): Promise<void> {
  const registries = new Registries({ ...more, settings: { [host]: settings } });
  try {
    await registries.client(host).ping();
  } finally {
    registries.close();
  }
}

describe('TLS', () => {
  let server: RegistryServer;
  beforeAll(async () => {
    server = await startRegistryServer({
      tls: { certificate: join(folder, 'server.pem'), key: join(folder, 'server.key') },
    });
  });
  afterAll(() => server.stop());

  test('a CA of its own is trusted for the registry that it was given for', async () => {
    await ping(server.host, { ca: pem('ca.pem') });
    const registries = new Registries({ settings: { [server.host]: { ca: pem('ca.pem') } } });
    const target = registries.repository({ registry: server.host, repository: 'tls/app' }, 'push');
    const one = image();
    expect(await push(target, one, 'v1')).toBe((await target.manifest('v1')).digest);
    registries.close();
  });

  test.each([[{}], [{ other: true }]])(
    'a certificate that nobody trusts is refused at once, with the way out (%j)',
    async ({ other }: { other?: boolean }) => {
      await expect(
        ping(server.host, other === true ? { ca: pem('other.pem') } : {}),
      ).rejects.toMatchObject({
        code: 'registry_refused',
        message: expect.stringContaining('is not trusted') as string,
      });
    },
  );

  test('a CA that the machine trusts is trusted; by many requests at the same time, too', async () => {
    const known = await startRegistryServer({
      tls: { certificate: join(folder, 'known.pem'), key: join(folder, 'known.key') },
    });
    const registries = new Registries();
    try {
      const client = registries.client(known.host);
      const pings = await Promise.allSettled([1, 2, 3].map(() => client.ping()));
      expect(pings.map(({ status }) => status)).toEqual(pings.map(() => 'fulfilled'));
      await expect(ping(known.host, { ca: pem('other.pem') })).resolves.toBeUndefined();
    } finally {
      registries.close();
      await known.stop();
    }
  });

  test('insecure leaves it unchecked', async () => {
    await expect(ping(server.host, { insecure: true })).resolves.toBeUndefined();
  });
});

describe('client certificates', () => {
  let server: TlsServer;
  let host: string;
  beforeAll(async () => {
    const options = {
      cert: pem('server.pem'),
      key: pem('server.key'),
      ca: pem('ca.pem'),
      requestCert: true,
    };
    server = createTlsServer({ ...options, rejectUnauthorized: true }, (_request, response) =>
      response.end('{}'),
    );
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('are shown to who asks', async () => {
    const clientCertificate = { cert: pem('client.pem'), key: pem('client.key') };
    await expect(ping(host, { ca: pem('ca.pem'), clientCertificate })).resolves.toBeUndefined();
  });

  test('who has none is told that one is wanted', async () => {
    const strict = await startRegistryServer({
      tls: {
        ...{ certificate: join(folder, 'server.pem'), key: join(folder, 'server.key') },
        clientCa: join(folder, 'ca.pem'),
      },
    });
    try {
      await expect(ping(strict.host, { ca: pem('ca.pem') })).rejects.toMatchObject({
        code: 'registry_denied',
        message: expect.stringContaining('wants a client certificate') as string,
      });
      const clientCertificate = { cert: pem('client.pem'), key: pem('client.key') };
      await ping(strict.host, { ca: pem('ca.pem'), clientCertificate });
      // as docker and skopeo look for them; what is said goes before
      const asDocker = { certificates: () => ({ ca: pem('ca.pem'), clientCertificate }) };
      await ping(strict.host, {}, asDocker);
      await expect(ping(strict.host, { ca: pem('other.pem') }, asDocker)).rejects.toMatchObject({
        message: expect.stringContaining('is not trusted') as string,
      });
    } finally {
      await strict.stop();
    }
  });
});

describe('proxies', () => {
  let proxy: Server;
  let address: string;
  const asked: string[] = [];
  beforeAll(async () => {
    proxy = createServer((incoming, response) => {
      asked.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`);
      const passed = request(
        incoming.url ?? '',
        { method: incoming.method, headers: incoming.headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        },
      );
      incoming.pipe(passed);
    });
    proxy.on('connect', (incoming, socket) => {
      asked.push(`CONNECT ${incoming.url ?? ''}`);
      const [host, port] = (incoming.url ?? '').split(':');
      const upstream = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.pipe(socket);
        socket.pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('error', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    proxy.closeAllConnections();
    proxy.close();
  });

  test('are used for plain HTTP and, by a tunnel, for TLS; not where NO_PROXY says so', async () => {
    const plain = await OddRegistry.start();
    const secure = await startRegistryServer({
      tls: { certificate: join(folder, 'server.pem'), key: join(folder, 'server.key') },
    });
    try {
      await ping(plain.host, { insecure: true }, { proxy: { HTTP_PROXY: address } });
      await ping(secure.host, { ca: pem('ca.pem') }, { proxy: { HTTPS_PROXY: address } });
      await ping(
        plain.host,
        { insecure: true },
        { proxy: { HTTP_PROXY: address, NO_PROXY: '127.0.0.1' } },
      );
      expect(asked).toEqual([`GET http://${plain.host}/v2/`, `CONNECT ${secure.host}`]);
    } finally {
      await Promise.all([plain.stop(), secure.stop()]);
    }
  });
});
