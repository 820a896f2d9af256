import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditPage, ROLES, tokenCreated, tokenPage, type Role } from '#contracts';
import { withClient } from '#fleet';
import { waitFor } from '#kernel';
import type { EndpointContract } from '../src/http/endpoint-contract.js';
import { ENDPOINTS, SERVICE_ROUTES } from '../src/http/endpoints.js';
import { assertRoutes } from '../src/http/route-assert.js';
import { BOOTSTRAP, startGateway, type RunningGateway } from './support/running-gateway.js';
import { ID } from './support/upgrades.js';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway();
  gateway.responders.answer({});
});
afterAll(() => gateway.stop());

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const endpoints = Object.entries<EndpointContract>(ENDPOINTS);
const pathOf = (path: string): string =>
  path
    .replace(':id', ID)
    .replace(':name', 'nobody')
    .replace(':kind', 'Release')
    .replace(':upgrade', ID)
    .replace(':backup', 'h1-web@docker-1')
    .replace(':digest', `sha256:${'a'.repeat(64)}`);

function call(method: EndpointContract['method'], path: string) {
  const agent = supertest(gateway.url);
  switch (method) {
    case 'GET':
      return agent.get(path);
    case 'POST':
      return agent.post(path);
    case 'PUT':
      return agent.put(path);
    case 'DELETE':
      return agent.delete(path);
  }
}

/** Who may do what, written out: the table must not be its own proof. */
const MAY: Readonly<Record<string, readonly Role[]>> = {
  // an operator as an emergency only: the body says so, and is read after this
  createUpgrade: ['requester', 'operator', 'admin'],
  // which of them a plan wants is the coordinator's to say
  approve: ['approver', 'operator', 'admin'],
  reject: ['approver', 'admin'],
  cancel: ['requester', 'operator', 'admin'],
  pause: ['operator', 'admin'],
  resume: ['operator', 'admin'],
  rollback: ['operator', 'admin'],
  retry: ['operator', 'admin'],
  skip: ['operator', 'admin'],
  resolve: ['operator', 'admin'],
  previewPlan: ['requester', 'operator', 'admin'],
  observe: ['operator', 'admin'],
  createBackup: ['operator', 'admin'],
  // to a folder an admin only: the body says so, and is read after this
  restoreBackup: ['operator', 'admin'],
  verifyBackup: ['operator', 'admin'],
  deleteBackup: ['operator', 'admin'],
  deleteMirrored: ['operator', 'admin'],
  'put:environments': ['operator', 'admin'],
  'put:applications': ['operator', 'admin'],
  'put:releases': ['operator', 'admin'],
  'put:upgradechains': ['operator', 'admin'],
  'put:servicetemplatechains': ['operator', 'admin'],
  'delete:environments': ['operator', 'admin'],
  'delete:applications': ['operator', 'admin'],
  'delete:releases': ['operator', 'admin'],
  'delete:upgradechains': ['operator', 'admin'],
  'delete:servicetemplatechains': ['operator', 'admin'],
  createToken: ['admin'],
  listTokens: ['admin'],
  revokeToken: ['admin'],
  listAudit: ['admin'],
};

describe('every route, with every role', () => {
  it.each(endpoints)('%s', async (name, { method, path }) => {
    const may = MAY[name] ?? ROLES;
    for (const role of ROLES) {
      const answer = await call(method, pathOf(path)).set(bearer(await gateway.token(role)));
      if (may.includes(role)) expect([role, answer.status]).not.toEqual([role, 403]);
      else expect([role, answer.status]).toEqual([role, 403]);
      expect([401, 500]).not.toContain(answer.status);
    }
  });

  it.each(endpoints)(
    '%s: not without a token, nor with a wrong one',
    async (_name, { method, path }) => {
      const wrong = [
        undefined,
        'Bearer',
        `Bearer ${BOOTSTRAP}x`,
        `Basic ${BOOTSTRAP}`,
        `Bearer ${'x'.repeat(2000)}`,
      ];
      for (const authorization of wrong) {
        const asked = call(method, pathOf(path));
        const answer = await (authorization === undefined
          ? asked
          : asked.set('Authorization', authorization));
        expect(answer.status).toBe(401);
        expect(answer.headers['www-authenticate']).toContain('Bearer');
        expect(answer.body).toMatchObject({ code: 'unauthenticated', status: 401 });
      }
    },
  );

  it('a backup goes to a folder of the service’s machine for an admin only', async () => {
    const path = pathOf('/v1/backups/:upgrade/:backup/restore');
    const ask = async (role: Role, to: object) =>
      supertest(gateway.url)
        .post(path)
        .set(bearer(await gateway.token(role)))
        .send({ to });
    const refused = await ask('operator', { folder: '/srv/out' });
    expect([refused.status, refused.text]).toEqual([
      403,
      expect.stringContaining('needs admin') as string,
    ]);
    expect((await ask('admin', { folder: '/srv/out' })).status).not.toBe(403);
    expect((await ask('operator', { instance: 'web@one' })).status).not.toBe(403);
  });

  it('health is open; metrics and whatever else there may be are not', async () => {
    const agent = supertest(gateway.url);
    for (const [path, access] of Object.entries(SERVICE_ROUTES)) {
      expect((await agent.get(path)).status).toBe(access === 'open' ? 200 : 401);
      expect((await agent.get(path).set(bearer(await gateway.token('viewer')))).status).toBe(200);
    }
    for (const path of [
      '/',
      '/v1',
      '/nothing',
      '/health',
      '/HEALTH/live',
      '/health/live/',
      '//health/live',
      '/health/../v1/tokens',
    ]) {
      expect([path, (await agent.get(path)).status]).toEqual([path, 401]);
    }
  });

  it('a body is not read from who has no token, or not the role', async () => {
    const body = `{"name":"${'x'.repeat(900_000)}`;
    const agent = supertest(gateway.url);
    const send = () => agent.post('/v1/tokens').set('Content-Type', 'application/json').send(body);
    expect((await send()).status).toBe(401);
    expect((await send().set(bearer(await gateway.token('operator')))).status).toBe(403);
  });
});

describe('the boot stops', () => {
  const routes = [
    ...endpoints.map(([, { method, path }]) => `${method} ${path}`),
    ...Object.keys(SERVICE_ROUTES).map((path) => `GET ${path}`),
  ];
  it('when nobody said who may use a route', () => {
    expect(() => assertRoutes(new Set(routes))).not.toThrow();
    expect(() => assertRoutes(new Set([...routes, 'POST /v1/secret']))).toThrow(
      /who may use POST \/v1\/secret/,
    );
  });
  it('when no controller answers an endpoint', () => {
    expect(() =>
      assertRoutes(new Set(routes.filter((route) => route !== 'POST /v1/upgrades'))),
    ).toThrow(/no controller answers POST \/v1\/upgrades/);
  });
});

describe('tokens', () => {
  const create = (body: object) =>
    supertest(gateway.url).post('/v1/tokens').set(bearer(BOOTSTRAP)).send(body);
  const status = async (token: string): Promise<number> =>
    (await supertest(gateway.url).get('/openapi.json').set(bearer(token))).status;

  it('is shown once, works at once, is kept as a digest only, and ends when it is revoked', async () => {
    const made = await create({ name: 'ci', role: 'requester' });
    expect(made.status).toBe(201);
    const { token } = tokenCreated.parse(made.body);
    expect(await status(token)).toBe(200);
    const list = await supertest(gateway.url).get('/v1/tokens').set(bearer(BOOTSTRAP));
    expect(tokenPage.parse(list.body).items.map(({ name }) => name)).toContain('ci');
    expect(JSON.stringify(list.body)).not.toContain(token);
    const dump = await withClient(gateway.databaseUrl, (client) =>
      client.query(`SELECT tokens::text FROM tokens`),
    );
    expect(JSON.stringify(dump.rows)).not.toContain(token);
    expect((await create({ name: 'ci', role: 'viewer' })).status).toBe(409);
    const revoke = () => supertest(gateway.url).delete('/v1/tokens/ci').set(bearer(BOOTSTRAP));
    expect((await revoke()).status).toBe(204);
    expect(await status(token)).toBe(401);
    expect((await revoke()).status).toBe(404);
    expect((await create({ name: 'ci', role: 'viewer' })).status).toBe(201);
  });

  it('ends when it expires, and its name is free again', async () => {
    const made = tokenCreated.parse(
      (await create({ name: 'short', role: 'viewer', expiresInSeconds: 1 })).body,
    );
    await waitFor(async () => (await status(made.token)) === 401, {
      what: 'the token expires',
      deadlineMs: 60_000,
    });
    expect((await create({ name: 'short', role: 'viewer' })).status).toBe(201);
  });

  it.each([
    ['a role that is none', { name: 'a', role: 'root' }, '/role'],
    ['no name', { role: 'viewer' }, '/name'],
    ['an unknown field', { name: 'a', role: 'viewer', token: 'mine' }, '/token'],
    [
      'a life of no length',
      { name: 'a', role: 'viewer', expiresInSeconds: 0 },
      '/expiresInSeconds',
    ],
  ])('%s is refused', async (_name, body, pointer) => {
    const answer = await create(body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ pointer }] });
  });
});

describe('the audit', () => {
  it('has who did what, also what was refused, and never a token', async () => {
    const operator = await gateway.token('operator');
    await supertest(gateway.url).post(`/v1/upgrades/${ID}/reject`).set(bearer(operator)).send({});
    const entry = await waitFor(
      async () => {
        const answer = await supertest(gateway.url).get('/v1/audit').set(bearer(BOOTSTRAP));
        expect(answer.text).not.toContain(operator);
        return auditPage
          .parse(answer.body)
          .items.find(
            ({ actor, path, status }) =>
              actor === 'the-operator' && path.endsWith('/reject') && status !== undefined,
          );
      },
      { what: 'the audit has it', deadlineMs: 60_000 },
    );
    expect(entry).toMatchObject({
      actor: 'the-operator',
      role: 'operator',
      method: 'POST',
      status: 403,
      code: 'forbidden',
    });
  });
});
