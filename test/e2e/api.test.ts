import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '#kernel';
import {
  historyEvent,
  logPage,
  plan,
  tokenCreated,
  upgradePage,
  upgradeView,
  type ActionName,
  type Role,
} from '#contracts';
import { modelImageId, writeControl, type ControlRule } from '#drivers/model';
import { COMPONENTS, ModelFleet, NEW_IMAGE, type ModelRun } from '../support/model-fleet.js';

let fleet: ModelFleet;
beforeAll(async () => {
  fleet = await ModelFleet.start();
});
afterAll(async () => {
  await fleet.stop();
});

const bearer = (token: string): { Authorization: string } => ({ Authorization: `Bearer ${token}` });
const admin = (): { Authorization: string } => bearer(fleet.api.token);
const http = (): ReturnType<typeof supertest> => supertest(fleet.api.url);
const body = (run: ModelRun, more: object = {}): object => ({
  environment: run.name,
  application: run.name,
  release: `${run.name}-2.0`,
  ...more,
});
const post = (
  path: string,
  json: object,
  headers: Record<string, string> = admin(),
): supertest.Test => http().post(path).set(headers).send(json);
const stateOf = async (id: string): Promise<string> => (await fleet.api.get(id)).state;

/** The new version of c never works: all is taken back. */
const BROKEN: ControlRule = { do: 'fail-checks', imageId: modelImageId(NEW_IMAGE), container: 'c' };
/** On the way back a step of b is refused by its target. */
const refused = (action: ActionName): ControlRule => ({
  do: 'fail',
  action,
  container: 'b',
  when: 'before',
  code: 'target_refused',
  message: 'no',
});

async function tokenOf(role: Role): Promise<string> {
  const answer = await post('/v1/tokens', { name: `${role}-${Date.now()}`, role });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return tokenCreated.parse(answer.body).token;
}

describe('an upgrade through the API', () => {
  it('202 with Location; plan, list, history and logs tell what it did', async () => {
    const run = await fleet.newWorld();
    const created = await post('/v1/upgrades', body(run, { reason: 'for the feature' }));
    expect(created.status).toBe(202);
    const { id } = upgradeView.parse(created.body);
    expect(created.headers.location).toBe(`/v1/upgrades/${id}`);
    const end = await fleet.api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    expect(end).toMatchObject({ from: '1.0', to: '2.0', reason: 'for the feature' });

    const planned = await http().get(`/v1/upgrades/${id}/plan`).set(admin()).expect(200);
    expect(digestOf(plan.parse(planned.body))).toBe(end.planDigest);

    const listed = await http()
      .get(`/v1/upgrades?environment=${run.name}&state=succeeded`)
      .set(admin())
      .expect(200);
    expect(upgradePage.parse(listed.body).items.map((item) => item.id)).toEqual([id]);

    const logs = await http().get(`/v1/upgrades/${id}/logs`).set(admin()).expect(200);
    expect(logPage.parse(logs.body).lines.length).toBeGreaterThan(0);
  });

  it('server-sent events go on after Last-Event-ID, from what PostgreSQL has', async () => {
    const run = await fleet.newWorld();
    const id = await run.begin();
    await fleet.api.untilEnded(id);
    const whole = await fleet.api.history(id);
    await fleet.fleet.nats.wipe();
    const rest = await http()
      .get(`/v1/upgrades/${id}/events`)
      .set(admin())
      .set('Last-Event-ID', String(whole.length - 3))
      .expect(200);
    const events = rest.text
      .split('\n')
      .filter((line) => line.startsWith('data:'))
      .map((line) => historyEvent.parse(JSON.parse(line.slice(5))));
    expect(events).toEqual(whole.slice(-3));
  });

  it('POST /v1/plans says what an upgrade would do, and begins nothing', async () => {
    const run = await fleet.newWorld();
    const answer = await post('/v1/plans', body(run));
    expect(answer.status).toBe(200);
    const { changes, hops } = plan.parse(answer.body);
    expect(changes.map((change) => change.instance)).toEqual(
      COMPONENTS.map((component) => `${component}@host`),
    );
    expect(hops[0]?.waves).toHaveLength(COMPONENTS.length);
    expect(await run.ledger()).toEqual([]);
    const listed = await http().get(`/v1/upgrades?environment=${run.name}`).set(admin());
    expect(upgradePage.parse(listed.body).items).toEqual([]);
  });
});

describe('decisions', () => {
  it('only who has the role may: no token 401, another role 403, the right one goes on', async () => {
    const run = await fleet.newWorld();
    const requester = await tokenOf('requester');
    const approver = await tokenOf('approver');
    const request = body(run, { policy: { approval: 'required' } });
    await post('/v1/upgrades', request, {}).expect(401);
    await post('/v1/upgrades', request, bearer(await tokenOf('viewer'))).expect(403);
    const created = await post('/v1/upgrades', request, bearer(requester)).expect(202);
    const { id } = upgradeView.parse(created.body);
    await fleet.api.until(id, 'awaiting_approval');
    await post(`/v1/upgrades/${id}/approve`, {}, bearer(requester)).expect(403);
    expect(await run.ledger()).toEqual([]);
    await post(`/v1/upgrades/${id}/approve`, {}, bearer(approver)).expect(200);
    expect((await fleet.api.untilEnded(id)).state).toBe('succeeded');
  });

  it('retry: a way back that a person has mended goes on to its end', async () => {
    const run = await fleet.newWorld();
    const failing = refused('data.restore');
    await writeControl(run.world, { rules: [BROKEN, failing] });
    const id = await run.begin();
    const view = await fleet.api.until(id, 'needs_attention');
    expect(view.attention.map(({ step }) => step)).toEqual([expect.stringContaining('b@host')]);
    await writeControl(run.world, { rules: [BROKEN] });
    await post(`/v1/upgrades/${id}/retry`, { step: view.attention[0]?.step }).expect(200);
    expect((await fleet.api.untilEnded(id)).state).toBe('rolled_back');
    expect(await run.violations()).toEqual([]);
  });

  it('skip: needs a reason, which the history keeps', async () => {
    const run = await fleet.newWorld();
    const failing = refused('instance.remove-new');
    await writeControl(run.world, { rules: [BROKEN, failing] });
    const id = await run.begin();
    const view = await fleet.api.until(id, 'needs_attention');
    const step = view.attention[0]?.step;
    const answer = await post(`/v1/upgrades/${id}/skip`, { step });
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([
      expect.toSatisfy((status: number) => status >= 400 && status < 500),
      expect.stringContaining('reason'),
    ]);
    await post(`/v1/upgrades/${id}/skip`, { step, reason: 'removed by hand' }).expect(200);
    const end = await fleet.api.untilEnded(id);
    expect(end.state).toBe('rolled_back');
    expect(JSON.stringify(await fleet.api.history(id))).toContain('removed by hand');
  });

  it('cancel before anything was touched ends it, and gives its instances free', async () => {
    const run = await fleet.newWorld();
    const created = await post('/v1/upgrades', body(run, { policy: { approval: 'required' } }));
    const { id } = upgradeView.parse(created.body);
    await fleet.api.until(id, 'awaiting_approval');
    await post(`/v1/upgrades/${id}/cancel`, {}).expect(200);
    expect((await fleet.api.untilEnded(id)).state).toBe('cancelled');
    expect(await run.ledger()).toEqual([]);
    expect((await fleet.api.untilEnded(await run.begin())).state).toBe('succeeded');
  });
});

describe('bad input: a clear 4xx that names the field, and nothing changed', () => {
  const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
  it.each([
    ['an unknown field', (run: ModelRun) => body(run, { colour: 'red' }), 400, '/colour'],
    ['a wrong type', (run: ModelRun) => body(run, { release: 2 }), 400, '/release'],
    ['a missing field', (run: ModelRun) => ({ environment: run.name }), 400, '/application'],
    [
      'a policy that there is not',
      (run: ModelRun) => body(run, { policy: { speed: 'high' } }),
      400,
      '/policy/speed',
    ],
    [
      'a missing application',
      (run: ModelRun) => body(run, { application: 'nowhere' }),
      422,
      'nowhere',
    ],
    [
      'a missing environment',
      (run: ModelRun) => body(run, { environment: 'nowhere' }),
      422,
      'nowhere',
    ],
    [
      'an unknown version',
      (run: ModelRun) => body(run, { release: `${run.name}-9.9` }),
      422,
      '9.9',
    ],
    ['a huge body', (run: ModelRun) => body(run, { reason: 'x'.repeat(5_000_000) }), 413, 'large'],
    ['a body nested too deeply', () => deep, 400, 'nest'],
    ['no JSON', () => '{"environment":', 400, 'JSON'],
  ] as const)('%s', async (_name, make, status, named) => {
    const run = await fleet.newWorld();
    const before = await http().get('/v1/upgrades').set(admin());
    const answer = await http()
      .post('/v1/upgrades')
      .set(admin())
      .set('Content-Type', 'application/json')
      .send(make(run));
    expect([answer.status, answer.headers['content-type']]).toEqual([
      status,
      expect.stringContaining('application/problem+json'),
    ]);
    expect(JSON.stringify(answer.body)).toContain(named);
    expect((await http().get('/v1/upgrades').set(admin())).body).toEqual(before.body);
    expect(await run.ledger()).toEqual([]);
  });

  it('a second upgrade of an instance that one holds is refused, and names the first', async () => {
    const run = await fleet.newWorld();
    const first = upgradeView.parse(
      (await post('/v1/upgrades', body(run, { policy: { bakeSeconds: 600 } }))).body,
    );
    await fleet.api.until(first.id, 'baking');
    const second = await post('/v1/upgrades', body(run));
    expect(second.status).toBe(409);
    expect(JSON.stringify(second.body)).toContain(first.id);
    expect(await stateOf(first.id)).toBe('baking');
    await post(`/v1/upgrades/${first.id}/rollback`, {}).expect(200);
    expect((await fleet.api.untilEnded(first.id)).state).toBe('rolled_back');
  });

  it('a rollback after the bake is refused: why, and what to do', async () => {
    const run = await fleet.newWorld();
    const id = await run.begin();
    await fleet.api.untilEnded(id);
    const effects = await run.ledger();
    const late = await post(`/v1/upgrades/${id}/rollback`, {});
    expect(late.status).toBe(409);
    expect(JSON.stringify(late.body)).toContain('new upgrade');
    expect(await stateOf(id)).toBe('succeeded');
    expect(await run.ledger()).toEqual(effects);
  });

  it('two identical posts at the same time with one key are one upgrade', async () => {
    const run = await fleet.newWorld();
    const headers = { ...admin(), 'Idempotency-Key': `key-of-${run.name}` };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => post('/v1/upgrades', body(run), headers)),
    );
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
    expect(new Set(answers.map((answer) => upgradeView.parse(answer.body).id)).size).toBe(1);
    await post('/v1/upgrades', body(run, { reason: 'another' }), headers).expect(422);
    const listed = await http().get(`/v1/upgrades?environment=${run.name}`).set(admin());
    expect(upgradePage.parse(listed.body).items).toHaveLength(1);
  });
});
