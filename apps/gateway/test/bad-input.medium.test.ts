import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { problem, type Problem } from '#contracts';
import { LiftlockError } from '#kernel';
import { startGateway, type RunningGateway } from './support/running-gateway.js';
import { aDocument, anUpgrade, ENVIRONMENT, ID } from './support/upgrades.js';

let gateway: RunningGateway;
const good = { environment: 'home', application: 'web', release: 'web-2.0' };
const json = { 'content-type': 'application/json' };

beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.responders.answer({
    'get-document': () => aDocument(),
    'create-upgrade': () => ({ upgrade: anUpgrade(), created: true }),
    'put-document': () => ({ document: aDocument(), changed: true }),
  });
});

/** The problem that a request is answered with; nothing may have been asked of the services that would change anything. */
async function problemOf(answer: Response): Promise<Problem> {
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const body = problem.parse(await answer.json());
  expect(body.status).toBe(answer.status);
  for (const name of ['create-upgrade', 'put-document', 'act-on-upgrade'] as const) {
    expect(gateway.responders.questions(name)).toEqual([]);
  }
  return body;
}

function post(
  body: unknown,
  path = '/v1/upgrades',
  headers: Record<string, string> = json,
): Promise<Response> {
  return gateway.request(path, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

describe('a body that is not what it should be changes nothing, and the answer names the field', () => {
  it.each([
    ['an unknown field', { ...good, force: true }, '/force'],
    ['a wrong type', { ...good, application: 7 }, '/application'],
    ['a missing application', { environment: 'home', release: 'web-2.0' }, '/application'],
    ['a name that is none', { ...good, environment: 'Home!' }, '/environment'],
    ['an unknown field deep down', { ...good, policy: { scop: 'wave' } }, '/policy/scop'],
    ['a reason that is too long', { ...good, reason: 'x'.repeat(501) }, '/reason'],
    ['a date that is none', { ...good, notBefore: 'tomorrow' }, '/notBefore'],
    ['a list', [good], ''],
    ['null', null, ''],
  ])('%s', async (_name, body, pointer) => {
    const found = await problemOf(await post(body));
    expect(found).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(found.errors?.map((one) => one.pointer)).toContain(pointer);
  });

  it('every wrong field is named at once', async () => {
    const found = await problemOf(await post({ environment: 1, application: 2, release: 3, x: 4 }));
    expect(found.errors?.map((one) => one.pointer).sort()).toEqual([
      '/application',
      '/environment',
      '/release',
      '/x',
    ]);
  });

  it.each([
    ['malformed JSON', '{"environment": "home",', 400],
    ['nothing', '', 400],
    ['65 levels', `${'['.repeat(65)}${']'.repeat(65)}`, 400],
    ['200,000 levels', `${'['.repeat(200_000)}${']'.repeat(200_000)}`, 400],
    [
      'a NUL',
      String.raw`{"environment":"home","application":"web","release":"web-2.0","reason":"\u0000"}`,
      400,
    ],
    ['a prototype', '{"__proto__":{"x":1}}', 400],
    ['more than 1 MiB', JSON.stringify({ ...good, reason: 'x'.repeat(1024 * 1024) }), 413],
    ['far more than 1 MiB', 'x'.repeat(20 * 1024 * 1024), 413],
  ])('%s', async (_name, body, status) => {
    expect((await problemOf(await post(body))).status).toBe(status);
  });

  it('bytes that are no UTF-8', async () => {
    const answer = await gateway.request('/v1/upgrades', {
      method: 'POST',
      headers: json,
      body: Buffer.concat([
        Buffer.from('{"reason":"'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}'),
      ]),
    });
    expect((await problemOf(answer)).status).toBe(400);
  });

  it('a body of no announced length that goes on and on', async () => {
    const chunk = new Uint8Array(64 * 1024).fill(0x20);
    let sent = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += chunk.length;
        if (sent > 4 * 1024 * 1024) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const init = { method: 'POST', headers: json, body: stream, duplex: 'half' };
    expect(
      (await problemOf(await gateway.request('/v1/upgrades', init as RequestInit))).status,
    ).toBe(413);
  });

  it.each([
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['YAML where only JSON is taken', { 'content-type': 'application/yaml' }],
    ['another charset', { 'content-type': 'application/json; charset=utf-16' }],
    ['a packed body', { ...json, 'content-encoding': 'gzip' }],
  ])('%s: 415', async (_name, headers) => {
    expect((await problemOf(await post(good, '/v1/upgrades', headers))).status).toBe(415);
  });
});

describe('what is asked for does not exist', () => {
  it('an unknown application and an unknown version are refused at once, naming the fields', async () => {
    gateway.responders.answer({
      'get-document': ({ kind }) => {
        if (kind === 'Environment') return aDocument();
        throw new LiftlockError('not_found', `there is no ${kind}`);
      },
    });
    const found = await problemOf(await post(good));
    expect(found).toMatchObject({ status: 422, code: 'unplannable' });
    expect(found.errors?.map((one) => one.pointer)).toEqual(['/application', '/release']);
  });

  it('an unknown route is 404, a known one with another method 405 with Allow', async () => {
    expect(await problemOf(await gateway.request('/v1/nothing'))).toMatchObject({
      status: 404,
      code: 'not_found',
    });
    const answer = await gateway.request(`/v1/upgrades/${ID}`, { method: 'DELETE' });
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
    expect(await problemOf(answer)).toMatchObject({ status: 405, code: 'method_not_allowed' });
  });

  it.each([
    ['an id that is none', '/v1/upgrades/42', '/path/id'],
    ['a parameter that is unknown', '/v1/upgrades?sate=running', '/query/sate'],
    ['a parameter where there are none', `/v1/upgrades/${ID}?x=1`, '/query/x'],
    ['a state that is none', '/v1/upgrades?state=running,broken', '/query/state/1'],
    ['a limit beyond the limit', '/v1/upgrades?limit=501', '/query/limit'],
    ['a cursor that is none', `/v1/upgrades/${ID}/logs?cursor=executor@main:x`, '/query/cursor'],
    ['a document name that is none', '/v1/environments/Home!', '/path/name'],
  ])('%s', async (_name, path, pointer) => {
    const found = await problemOf(await gateway.request(path));
    expect(found.status).toBe(400);
    expect(found.errors?.map((one) => one.pointer)).toEqual([pointer]);
  });

  it('a path that cannot be decoded', async () => {
    expect((await problemOf(await gateway.request('/v1/environments/%zz'))).status).toBe(400);
  });

  it('a Last-Event-ID that is no number', async () => {
    const answer = await gateway.request(`/v1/upgrades/${ID}/events`, {
      headers: { 'last-event-id': 'x' },
    });
    expect((await problemOf(answer)).errors?.[0]?.pointer).toBe('/headers/last-event-id');
  });
});

describe('the state does not allow it', () => {
  it.each([
    [
      'a second upgrade for an instance that one holds',
      'lock_held',
      'web in home is held by upgrade upg_1',
      '/v1/upgrades',
      409,
    ],
    [
      'a rollback after the bake',
      'conflict',
      'it has succeeded: begin an upgrade down',
      `/v1/upgrades/${ID}/rollback`,
      409,
    ],
    [
      'a key that belongs to another request',
      'idempotency_mismatch',
      'take a new key',
      '/v1/upgrades',
      422,
    ],
  ] as const)('%s: says why and what to do', async (_name, code, message, path, status) => {
    const refuse = (): never => {
      throw new LiftlockError(code, message, { details: { upgrade: 'upg_1' } });
    };
    gateway.responders.answer({
      'get-document': () => aDocument(),
      'create-upgrade': refuse,
      'act-on-upgrade': refuse,
    });
    const answer = await post(path === '/v1/upgrades' ? good : {}, path);
    expect(answer.status).toBe(status);
    expect(problem.parse(await answer.json())).toMatchObject({
      code,
      detail: message,
      details: { upgrade: 'upg_1' },
    });
  });
});

describe('documents', () => {
  const put = (body: string, headers: Record<string, string>, name = 'home'): Promise<Response> =>
    gateway.request(`/v1/environments/${name}`, { method: 'PUT', headers, body });
  const yaml = { 'content-type': 'application/yaml' };

  it('an unknown field is named with its line', async () => {
    const text =
      'apiVersion: liftlock.dev/v1\nkind: Environment\nmetadata:\n  name: home\nspec:\n  targts: []\n  targets:\n    - {name: a, driver: docker, endpoint: "unix:///x"}\n';
    const found = await problemOf(await put(text, yaml));
    expect(found).toMatchObject({
      status: 422,
      code: 'invalid_document',
      errors: [{ pointer: '/spec/targts', detail: 'unknown field', line: 6 }],
    });
  });

  it.each([
    ['another kind', JSON.stringify({ ...ENVIRONMENT, kind: 'Release' }), json, 422],
    [
      'another name than the path',
      JSON.stringify({ ...ENVIRONMENT, metadata: { name: 'other' } }),
      json,
      422,
    ],
    ['two documents', 'a: 1\n---\nb: 1\n', yaml, 400],
    ['no document', '# nothing\n', yaml, 400],
    ['a field given twice', 'kind: Environment\nkind: Release\n', yaml, 400],
    ['an If-Match that is none', JSON.stringify(ENVIRONMENT), { ...json, 'if-match': '"x"' }, 400],
  ])('%s', async (_name, body, headers, status) => {
    expect((await problemOf(await put(body, headers))).status).toBe(status);
  });
});
