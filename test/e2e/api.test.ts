import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, waitFor } from '#kernel';
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

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: unknown;
  readonly text: string;
  /** An answer before this one was lost behind the gateway: what was asked may have been done then. */
  readonly isAgain: boolean;
}

/** A gateway that says that a service behind it has not answered yet, as on a machine that stands still, is asked again. */
async function answerTo(ask: () => supertest.Test): Promise<Answered> {
  let lost = 0;
  return waitFor(
    async () => {
      const answer = await ask();
      const { status, headers, text } = answer;
      if (status === 503 || status === 504) {
        lost += 1;
        throw new Error(`${status}: ${text}`);
      }
      return { status, headers, body: answer.body as unknown, text, isAgain: lost > 0 };
    },
    { what: 'an answer', deadlineMs: 60_000 },
  );
}
async function get(path: string, headers: Record<string, string> = {}): Promise<Answered> {
  const answer = await answerTo(() => http().get(path).set(admin()).set(headers));
  expect(answer.status, answer.text).toBe(200);
  return answer;
}
let keys = 0;
function post(
  path: string,
  json: object | string,
  headers: Record<string, string> = admin(),
): Promise<Answered> {
  keys += 1;
  const key = { 'Idempotency-Key': `post-${keys}` };
  return answerTo(() =>
    http()
      .post(path)
      .set({ 'Content-Type': 'application/json', ...key, ...headers })
      .send(json),
  );
}
async function posted(status: number, ...request: Parameters<typeof post>): Promise<Answered> {
  const answer = await post(...request);
  // what is done is known by its key (200), or is no longer to be decided (409)
  const known = answer.isAgain && status < 300 ? [200, 409] : [];
  expect([status, ...known], JSON.stringify(answer.body)).toContain(answer.status);
  return answer;
}
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
  const answer = await posted(201, '/v1/tokens', { name: `${role}-${Date.now()}`, role });
  // made, but never told: it has the name
  if (answer.status === 409) return tokenOf(role);
  return tokenCreated.parse(answer.body).token;
}

describe('an upgrade through the API', () => {
  it('202 with Location; plan, list, history and logs tell what it did', async () => {
    const run = await fleet.newWorld();
    const request = body(run, { reason: 'for the feature' });
    const created = await posted(202, '/v1/upgrades', request);
    const { id } = upgradeView.parse(created.body);
    expect(created.headers.location).toBe(`/v1/upgrades/${id}`);
    const end = await fleet.api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    expect(end).toMatchObject({ from: '1.0', to: '2.0', reason: 'for the feature' });

    const planned = await get(`/v1/upgrades/${id}/plan`);
    expect(digestOf(plan.parse(planned.body))).toBe(end.planDigest);

    const listed = await get(`/v1/upgrades?environment=${run.name}&state=succeeded`);
    expect(upgradePage.parse(listed.body).items.map((item) => item.id)).toEqual([id]);

    const logs = await get(`/v1/upgrades/${id}/logs`);
    expect(logPage.parse(logs.body).lines.length).toBeGreaterThan(0);
  });

  it('server-sent events go on after Last-Event-ID, from what PostgreSQL has', async () => {
    const run = await fleet.newWorld();
    const id = await run.begin();
    await fleet.api.untilEnded(id);
    const whole = await fleet.api.history(id);
    await fleet.fleet.nats.wipe();
    const rest = await get(`/v1/upgrades/${id}/events`, {
      'Last-Event-ID': String(whole.length - 3),
    });
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
    const listed = await get(`/v1/upgrades?environment=${run.name}`);
    expect(upgradePage.parse(listed.body).items).toEqual([]);
  });
});

describe('decisions', () => {
  it('only who has the role may: no token 401, another role 403, the right one goes on', async () => {
    const run = await fleet.newWorld();
    const requester = await tokenOf('requester');
    const approver = await tokenOf('approver');
    const request = body(run, { policy: { approval: 'required' } });
    await posted(401, '/v1/upgrades', request, {});
    await posted(403, '/v1/upgrades', request, bearer(await tokenOf('viewer')));
    const created = await posted(202, '/v1/upgrades', request, bearer(requester));
    const { id } = upgradeView.parse(created.body);
    await fleet.api.until(id, 'awaiting_approval');
    await posted(403, `/v1/upgrades/${id}/approve`, {}, bearer(requester));
    expect(await run.ledger()).toEqual([]);
    await posted(200, `/v1/upgrades/${id}/approve`, {}, bearer(approver));
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
    await posted(200, `/v1/upgrades/${id}/retry`, { step: view.attention[0]?.step });
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
    await posted(200, `/v1/upgrades/${id}/skip`, { step, reason: 'removed by hand' });
    const end = await fleet.api.untilEnded(id);
    expect(end.state).toBe('rolled_back');
    expect(JSON.stringify(await fleet.api.history(id))).toContain('removed by hand');
  });

  it('cancel before anything was touched ends it, and gives its instances free', async () => {
    const run = await fleet.newWorld();
    const created = await post('/v1/upgrades', body(run, { policy: { approval: 'required' } }));
    const { id } = upgradeView.parse(created.body);
    await fleet.api.until(id, 'awaiting_approval');
    await posted(200, `/v1/upgrades/${id}/cancel`, {});
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
    const before = await get('/v1/upgrades');
    const answer = await post('/v1/upgrades', make(run));
    expect([answer.status, answer.headers['content-type']]).toEqual([
      status,
      expect.stringContaining('application/problem+json'),
    ]);
    expect(JSON.stringify(answer.body)).toContain(named);
    expect((await get('/v1/upgrades')).body).toEqual(before.body);
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
    await posted(200, `/v1/upgrades/${first.id}/rollback`, {});
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
    // where the answer of the first was lost, it is the first no more
    const firsts = answers.filter(({ status }) => status === 202).length;
    expect(answers.some(({ isAgain }) => isAgain) ? [0, 1] : [1]).toContain(firsts);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5 - firsts);
    expect(new Set(answers.map((answer) => upgradeView.parse(answer.body).id)).size).toBe(1);
    await posted(422, '/v1/upgrades', body(run, { reason: 'another' }), headers);
    const listed = await get(`/v1/upgrades?environment=${run.name}`);
    expect(upgradePage.parse(listed.body).items).toHaveLength(1);
  });
});
