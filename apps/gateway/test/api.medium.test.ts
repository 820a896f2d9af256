import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditPage, logPage, type QueryReply } from '#contracts';
import { rootFolder } from '#fleet';
import { LiftlockError } from '#kernel';
import { openApiDocument } from '../src/http/openapi.js';
import { BOOTSTRAP, startGateway, type RunningGateway } from './support/running-gateway.js';
import { aDocument, anUpgrade, ENVIRONMENT, ID } from './support/upgrades.js';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const api = () => supertest(gateway.url);
const as = (token: string) => ({ Authorization: `Bearer ${token}` });
const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('POST /v1/upgrades', () => {
  it('answers 202 with Location; the same key again 200 with the same upgrade; who asks is the token', async () => {
    let times = 0;
    gateway.responders.answer({
      'get-document': () => aDocument(),
      'create-upgrade': () => ({ upgrade: anUpgrade(), created: (times += 1) === 1 }),
    });
    const send = async () =>
      api()
        .post('/v1/upgrades')
        .set(as(await gateway.token('requester')))
        .set('Idempotency-Key', 'k-1')
        .send({ environment: 'home', application: 'web', release: 'web-2.0' });
    const first = await send();
    expect([first.status, first.headers['location'], first.body.id]).toEqual([
      202,
      `/v1/upgrades/${ID}`,
      ID,
    ]);
    const second = await send();
    expect([second.status, second.headers['location'], second.body.id]).toEqual([
      200,
      `/v1/upgrades/${ID}`,
      ID,
    ]);
    expect(gateway.responders.questions('create-upgrade')[0]).toMatchObject({
      actor: 'the-requester',
      idempotencyKey: 'k-1',
    });
  });
});

describe('reading', () => {
  it('a list with filter and cursor', async () => {
    gateway.responders.answer({
      'list-upgrades': () => ({ items: [anUpgrade()], nextCursor: ID }),
    });
    const answer = await api()
      .get(`/v1/upgrades?environment=home&state=running,paused&limit=1&cursor=${ID}`)
      .set(as(BOOTSTRAP));
    expect(answer.body).toMatchObject({ items: [{ id: ID }], nextCursor: ID });
    expect(gateway.responders.questions('list-upgrades')).toEqual([
      { environment: 'home', state: ['running', 'paused'], limit: 1, cursor: ID },
    ]);
  });

  it('a plan of many pages arrives as one JSON text', async () => {
    const text = JSON.stringify({ kind: 'Plan', filler: 'ä'.repeat(700_000) });
    const page = 256 * 1024;
    gateway.responders.answer({
      'get-upgrade': () => anUpgrade({ planDigest: DIGEST }),
      'get-plan': ({ offset }) => ({
        text: text.slice(offset, offset + page),
        total: text.length,
        ...(offset + page < text.length ? { nextOffset: offset + page } : {}),
      }),
    });
    const answer = await api().get(`/v1/upgrades/${ID}/plan`).set(as(BOOTSTRAP));
    expect(answer.headers['etag']).toBe(`"${DIGEST}"`);
    expect(answer.text).toBe(text);
  });

  it('a plan that is not there yet is 404 and says what the upgrade is', async () => {
    gateway.responders.answer({ 'get-upgrade': () => anUpgrade({ state: 'planning' }) });
    const answer = await api().get(`/v1/upgrades/${ID}/plan`).set(as(BOOTSTRAP));
    expect([answer.status, answer.body.detail]).toEqual([
      404,
      `upgrade ${ID} has no plan: it is planning`,
    ]);
  });

  it('a service that does not answer is 503 with Retry-After, and is named', async () => {
    await gateway.responders.stop('planner');
    try {
      const answer = await api().get('/v1/environments/home').set(as(BOOTSTRAP));
      expect([answer.status, answer.body.code, answer.headers['retry-after']]).toEqual([
        503,
        'unavailable',
        '1',
      ]);
      expect(answer.body.detail).toContain('planner');
    } finally {
      await gateway.responders.start(['planner']);
    }
  });

  it('what goes wrong inside stays inside', async () => {
    gateway.responders.answer({
      'get-upgrade': () => {
        throw new Error('password=hunter2 at /root/secret.js:1');
      },
    });
    const answer = await api().get(`/v1/upgrades/${ID}`).set(as(BOOTSTRAP));
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('hunter2');
    expect(answer.body.detail).toContain(answer.headers['x-request-id']);
  });
});

describe('decisions', () => {
  it('the approver is the token that approved', async () => {
    gateway.responders.answer({ 'act-on-upgrade': () => anUpgrade() });
    const token = await gateway.token('approver');
    expect((await api().post(`/v1/upgrades/${ID}/approve`).set(as(token))).status).toBe(200);
    expect(
      (
        await api()
          .post(`/v1/upgrades/${ID}/reject`)
          .set(as(token))
          .send({ reason: 'not on Friday' })
      ).status,
    ).toBe(200);
    expect(gateway.responders.questions('act-on-upgrade')).toEqual([
      { id: ID, action: 'approve', actor: 'the-approver', role: 'approver', request: {} },
      {
        id: ID,
        action: 'reject',
        actor: 'the-approver',
        role: 'approver',
        request: { reason: 'not on Friday' },
      },
    ]);
    const audit = auditPage.parse((await api().get('/v1/audit?limit=2').set(as(BOOTSTRAP))).body);
    expect(audit.items.map(({ actor, path }) => [actor, path])).toEqual([
      ['the-approver', `/v1/upgrades/${ID}/reject`],
      ['the-approver', `/v1/upgrades/${ID}/approve`],
    ]);
  });
});

describe('documents', () => {
  it('JSON and YAML; ETag is the generation; If-Match and If-None-Match are passed on', async () => {
    let generation = 1;
    gateway.responders.answer({
      'put-document': () => ({ document: aDocument(generation), changed: true }),
    });
    const put = () => api().put('/v1/environments/home').set(as(BOOTSTRAP));
    const first = await put().set('If-None-Match', '*').send(ENVIRONMENT);
    expect([first.status, first.headers['etag']]).toEqual([201, '"1"']);
    generation = 2;
    const yaml =
      'apiVersion: liftlock.dev/v1\nkind: Environment\nmetadata: {name: home}\nspec:\n  targets:\n    - {name: host-a, driver: docker, endpoint: "unix:///var/run/docker.sock"}\n';
    const second = await put()
      .set('If-Match', '"1"')
      .set('Content-Type', 'application/yaml')
      .send(yaml);
    expect([second.status, second.headers['etag']]).toEqual([200, '"2"']);
    const asked = gateway.responders.questions('put-document');
    expect(asked.map(({ ifGeneration, actor }) => [ifGeneration, actor])).toEqual([
      [0, 'bootstrap'],
      [1, 'bootstrap'],
    ]);
    expect(asked[1]?.body).toEqual(asked[0]?.body);
  });

  it('304 for the generation that the asker has', async () => {
    gateway.responders.answer({ 'get-document': () => aDocument(3) });
    const get = (tag: string) =>
      api().get('/v1/environments/home').set(as(BOOTSTRAP)).set('If-None-Match', tag);
    expect((await get('"3"')).status).toBe(304);
    expect((await get('"2", W/"3"')).status).toBe(304);
    expect((await get('"2"')).status).toBe(200);
  });

  it('a generation that is no longer the present one is 412', async () => {
    gateway.responders.answer({
      'put-document': () => {
        throw new LiftlockError('precondition_failed', 'home is at generation 4');
      },
    });
    const answer = await api()
      .put('/v1/environments/home')
      .set(as(BOOTSTRAP))
      .set('If-Match', '"3"')
      .send(ENVIRONMENT);
    expect(answer.status).toBe(412);
  });
});

describe('logs', () => {
  const line = (
    id: number,
    second: number,
    text: string,
  ): QueryReply<'executor-step-log'>['lines'][number] => ({
    id,
    stepId: 'a/b',
    token: 1,
    at: `2026-01-01T00:00:0${second}.000Z`,
    level: 'info',
    text,
  });
  const stored = {
    executor: [line(1, 1, 'stop'), line(2, 4, 'start')],
    backup: [line(1, 2, 'tar'), line(2, 3, 'done'), line(3, 0, 'clock went back')],
  };

  it('of all services in one order, page by page, no line lost and none twice', async () => {
    gateway.responders.answer({
      'get-upgrade': () => anUpgrade(),
      'executor-step-log': ({ after, limit }) => ({
        lines: stored.executor.filter(({ id }) => id > after).slice(0, limit),
      }),
      'backup-step-log': ({ after, limit }) => ({
        lines: stored.backup.filter(({ id }) => id > after).slice(0, limit),
      }),
      'mirror-step-log': () => ({ lines: [] }),
      'verifier-step-log': () => ({ lines: [] }),
    });
    for (const limit of [1, 2, 3, 100]) {
      const texts: string[] = [];
      let cursor = '';
      for (let pages = 0; pages < 10; pages += 1) {
        const answer = await api()
          .get(`/v1/upgrades/${ID}/logs`)
          .query({ limit, cursor })
          .set(as(BOOTSTRAP));
        const page = logPage.parse(answer.body);
        expect(page.unavailable).toEqual([]);
        texts.push(...page.lines.map(({ app, text }) => `${app} ${text}`));
        cursor = page.cursor;
        if (page.lines.length === 0) break;
      }
      expect(texts.toSorted()).toEqual([
        'backup clock went back',
        'backup done',
        'backup tar',
        'executor start',
        'executor stop',
      ]);
      expect(texts.filter((text) => text.startsWith('backup'))).toEqual([
        'backup tar',
        'backup done',
        'backup clock went back',
      ]);
    }
  });

  it('a service that is away is named, and the others are shown', async () => {
    await gateway.responders.stop('backup');
    try {
      const page = logPage.parse(
        (await api().get(`/v1/upgrades/${ID}/logs`).set(as(BOOTSTRAP))).body,
      );
      expect(page.unavailable).toEqual(['backup@main']);
      expect(page.lines.map(({ text }) => text)).toEqual(['stop', 'start']);
    } finally {
      await gateway.responders.start(['backup']);
    }
  });
});

describe('OpenAPI', () => {
  it('docs/openapi.json is what the gateway serves: regenerate it with vitest -u', async () => {
    const answer = await api().get('/openapi.json').set(as(BOOTSTRAP));
    const served: unknown = answer.body;
    expect(served).toMatchObject({ openapi: '3.1.0' });
    await expect(`${JSON.stringify(openApiDocument(), undefined, 2)}\n`).toMatchFileSnapshot(
      `${rootFolder()}/docs/openapi.json`,
    );
    expect(served).toEqual(openApiDocument());
  });

  it('every reference leads somewhere', () => {
    const text = JSON.stringify(openApiDocument());
    const document: unknown = JSON.parse(text);
    for (const [, pointer] of text.matchAll(/"\$ref":"#([^"]+)"/g)) {
      let at: unknown = document;
      for (const part of (pointer ?? '').split('/').slice(1)) {
        at = (at as Record<string, unknown> | undefined)?.[
          part.replaceAll('~1', '/').replaceAll('~0', '~')
        ];
      }
      expect([pointer, at]).not.toEqual([pointer, undefined]);
    }
  });
});
