import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DOCUMENT_COLLECTIONS, tokenCreated } from '#contracts';
import { EmbeddedFleet } from '#fleet';
import { waitFor } from '#kernel';
import { ApiClient } from '../support/api-client.js';
import { databaseRows } from '../support/database-rows.js';
import { followUpgrade } from '../support/follow-upgrade.js';
import { LightwaveHosts, NODES } from '../support/lightwave-hosts.js';
import { Lightwave } from '../support/lightwave.js';
import { filesBelow, leaks, type Sink } from '../support/secret-scan.js';

const canary = (): string => randomBytes(16).toString('hex');
const FILE_SECRET = canary();
const WEBHOOK_SECRET = Buffer.from(canary()).toString('base64');
/** Whose business it is to hold passwords. */
const HOLDERS = new Set(['state.json', 'nats/nats.conf', 'redis/redis.conf']);
const stateSchema = z.object({
  passwords: z.object({
    postgres: z.string(),
    redis: z.string(),
    subscriber: z.string(),
    database: z.record(z.string(), z.string()),
    nats: z.record(z.string(), z.string()),
  }),
});

let folder: string;
let fleet: EmbeddedFleet;
let hosts: LightwaveHosts;
let receiver: Server;
const received: string[] = [];
const answers: Sink[] = [];
const engines: Sink[] = [];
let secrets: Record<string, string>;
let upgrade: string;
let endState: string;
let passwordLeft: boolean;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-redaction-'));
  [hosts, fleet] = await Promise.all([
    LightwaveHosts.start(),
    EmbeddedFleet.start({
      ...{ folder, tied: true, fsync: false },
      // what is said in passing counts, too
      env: { LIFTLOCK_LOG_LEVEL: 'trace' },
      appEnv: {
        executor: { LIFTLOCK_SECRET_LIGHTWAVE_ADMIN: FILE_SECRET },
        notifier: { LIFTLOCK_SECRET_HOOKS: `whsec_${WEBHOOK_SECRET}` },
      },
    }),
  ]);
  receiver = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => received.push(chunk.toString('utf8')));
    // one that fails makes the notifier say more
    request.on('end', () => response.writeHead(received.length === 1 ? 500 : 204).end());
  });
  await new Promise<void>((resolve) => void receiver.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  receiver.close();
  await fleet.stop();
  await hosts.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Asks as a person would, and keeps what was answered. */
async function ask(token: string, path: string, method = 'GET', body?: object): Promise<string> {
  const response = await fetch(new URL(path, fleet.url), {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      // see ApiClient
      connection: 'close',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  answers.push({
    name: `${method} ${path}: ${response.status}`,
    content: Buffer.from(`${JSON.stringify([...response.headers])}${text}`),
  });
  return text;
}

/** All that the engines tell of what is there now. */
async function lookAtEngines(when: string): Promise<void> {
  for (const node of NODES) {
    const ids = (await hosts.docker(node, 'ps', '--all', '--quiet')).split('\n');
    for (const id of ids.filter(Boolean)) {
      const told = await hosts.docker(node, 'inspect', id).catch(() => '');
      engines.push({ name: `inspect on node ${node}, ${when}`, content: Buffer.from(told) });
    }
    const volumes = await hosts.docker(node, 'volume', 'ls', '--format', '{{json .}}');
    engines.push({ name: `volumes on node ${node}, ${when}`, content: Buffer.from(volumes) });
  }
}

describe('no secret that the fleet was given', () => {
  beforeAll(async () => {
    const { passwords } = stateSchema.parse(
      JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')),
    );
    const api = new ApiClient(fleet.url, fleet.token);
    const { token } = tokenCreated.parse(
      (await api.insist('POST', '/v1/tokens', { name: 'ann', role: 'admin' })).body,
    );
    const named = (kind: string, all: Record<string, string>): Array<[string, string]> =>
      Object.entries(all).map(([app, password]) => [`${kind} password of ${app}`, password]);
    secrets = {
      'the file’s secret': FILE_SECRET,
      'the webhook’s secret': WEBHOOK_SECRET,
      'the token': token,
      'the bootstrap token': fleet.token,
      ...Object.fromEntries([
        ...named('database', { superuser: passwords.postgres, ...passwords.database }),
        ...named('NATS', { subscriber: passwords.subscriber, ...passwords.nats }),
        ...named('Redis', { all: passwords.redis }),
      ]),
    };

    const pair = await Lightwave.start(api, hosts, { password: FILE_SECRET, failOn: 2 });
    const { document } = z
      .object({ document: z.looseObject({ spec: z.looseObject({}) }) })
      .parse(JSON.parse(await ask(token, '/v1/environments/directory')));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
    const webhooks = [{ url, secret: 'env:LIFTLOCK_SECRET_HOOKS' }];
    const withWebhook = { ...document, spec: { ...document.spec, webhooks } };
    await ask(token, '/v1/environments/directory', 'PUT', withWebhook);
    const asked = {
      environment: 'directory',
      application: 'lightwave',
      release: 'lightwave-1.1.0',
    };
    await ask(token, '/v1/plans', 'POST', asked);
    const begun = await ask(token, '/v1/upgrades', 'POST', {
      ...asked,
      policy: { scope: 'upgrade' },
    });
    upgrade = z.object({ id: z.string() }).parse(JSON.parse(begun)).id;
    for await (const { type, data } of followUpgrade(api, upgrade, 600_000)) {
      if (type === 'step-dispatched') await lookAtEngines(String(data['step']));
    }
    endState = (await api.get(upgrade)).state;
    await waitFor(() => received.join().includes('upgrade-rolled-back'), {
      ...{ what: 'the last webhook', deadlineMs: 60_000 },
    });
    for (const collection of Object.keys(DOCUMENT_COLLECTIONS))
      await ask(token, `/v1/${collection}`);
    for (const part of ['', '/plan', '/events', '/logs'])
      await ask(token, `/v1/upgrades/${upgrade}${part}`);
    for (const path of ['upgrades', 'backups', 'tokens', 'audit', 'nowhere'])
      await ask(token, `/v1/${path}`);
    await ask(`${token}x`, '/v1/upgrades');
    for (const { url: address, app } of fleet.services) {
      for (const path of ['/metrics', '/health/ready']) {
        const response = await fetch(new URL(path, address));
        answers.push({ name: `${path} of ${app}`, content: Buffer.from(await response.text()) });
      }
    }
    passwordLeft = NODES.some((node) => pair.hasPassword(node));
  });

  const expectNone = (sinks: readonly Sink[], control: string): void => {
    // what cannot be found cannot be missed: each kind of sink has the upgrade's own words in it
    expect(sinks.some(({ content }) => content.includes(control))).toBe(true);
    expect(leaks(sinks, secrets)).toEqual([]);
  };

  it('is in an HTTP answer, a stream of events, or what the engines tell', () => {
    expect([endState, passwordLeft]).toEqual(['rolled_back', false]);
    expectNone(answers, upgrade);
    expectNone(engines, upgrade);
    expectNone([{ name: 'webhooks', content: Buffer.from(received.join('\n')) }], upgrade);
    expect(answers.length).toBeGreaterThan(25);
    expect(engines.length).toBeGreaterThan(100);
  });

  it('is in a row of the database', async () => {
    const dump = await databaseRows(fleet.adminDatabaseUrl);
    expectNone(dump, upgrade);
    expect(dump.length).toBeGreaterThan(20);
    // and the reference is: so it was looked at in the right place
    expect(dump.some(({ content }) => content.includes('LIFTLOCK_SECRET_LIGHTWAVE_ADMIN'))).toBe(
      true,
    );
  });

  it('is in a file of the fleet: streams, Redis, logs, manifests, backups', () => {
    const isLeftOut = (path: string): boolean => HOLDERS.has(path) || path.startsWith('postgres');
    const files = filesBelow(folder, isLeftOut);
    const of = (pattern: RegExp): Sink[] => files.filter(({ name }) => pattern.test(name));
    expectNone(of(/^nats\//), upgrade);
    expectNone(of(/^redis\//), upgrade);
    for (const { app } of fleet.services)
      expect(of(new RegExp(`^log/${app}\\.log$`))).toHaveLength(1);
    expectNone(of(/^log\//), '"level"');
    expectNone(of(/manifest\.json$/), upgrade);
    // the data itself is in it, and the file is not
    expectNone(of(/\(unpacked\)$/), 'var/lib/vmware/vmdir/administrator');
    expect(
      of(/\(unpacked\)$/).some(({ content }) => content.includes('lightwave-server.cfg')),
    ).toBe(false);
    expect(leaks(files, secrets)).toEqual([]);
  });

  it('would be missed: the same look finds each where it belongs', () => {
    const holders = [...HOLDERS].map((name) => ({
      name,
      content: readFileSync(join(folder, name)),
    }));
    const found = leaks(holders, secrets).join('\n');
    for (const name of Object.keys(secrets).filter((one) => /password|bootstrap/.test(one)))
      expect(found).toContain(name);
    const sent = { name: 'base64', content: Buffer.from(`ab${FILE_SECRET}\n`).toString('base64') };
    expect(leaks([{ ...sent, content: Buffer.from(sent.content) }], secrets)).toHaveLength(1);
  });
});
