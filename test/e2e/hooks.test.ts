import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { plan as planSchema, type HistoryEvent, type Plan } from '#contracts';
import { EmbeddedFleet } from '#fleet';
import { guestbookDocuments } from '../../examples/guestbook/index.js';
import { ApiClient } from '../support/api-client.js';
import { databaseRows } from '../support/database-rows.js';
import { startDocker, type TestEngine } from '../support/docker.js';
import { leaks, type Sink } from '../support/secret-scan.js';
import { Guestbook } from './guestbook.js';

const SECRET = `canary${randomBytes(12).toString('hex')}`;
let folder: string;
let fleet: EmbeddedFleet;
let engine: TestEngine;
let api: ApiClient;
let book: Guestbook;
let receiver: Server;
let base: string;
/** What was called, with which authorization, and which version answered to the world at that moment. */
let calls: Array<{ what: string; authorization: string | undefined; serves: string }>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-e2e-'));
  engine = await startDocker();
  const appEnv = { executor: { LIFTLOCK_SECRET_HOOK: SECRET } };
  fleet = await EmbeddedFleet.start({ folder, tied: true, fsync: false, appEnv });
  api = new ApiClient(fleet.url, fleet.token);
  receiver = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      const serves = (await book.version().catch(() => undefined)) ?? 'nothing';
      const { authorization } = request.headers;
      calls.push({ what: `${request.method} ${request.url}`, authorization, serves });
      // one that says back all that it was told
      response.end(`${authorization} ${body}`);
    })();
  });
  await new Promise<void>((resolve) => void receiver.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
afterAll(async () => {
  receiver.close();
  await fleet.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  calls = [];
  book = await Guestbook.create(api, engine.host);
});
afterEach(async () => {
  await book.remove();
});

const http = (name: string, more: object = {}) => ({
  ...{ name, type: 'http', url: `${base}/${name}`, body: 'and ${LIFTLOCK_SECRET_HOOK}' },
  ...{ headers: { authorization: 'Bearer ${LIFTLOCK_SECRET_HOOK}' }, undo: 'none', ...more },
});
const command = (name: string, script: string, more: object = {}) => ({
  ...{ name, type: 'command', command: ['sh', '-c', script], undo: 'none', ...more },
});
const jobWork = (script: string) => ({
  ...{ type: 'job', entrypoint: ['sh', '-c'], command: [script], volumesFrom: true },
});
const job = (name: string, script: string, more: object = {}) => ({
  ...{ name, ...jobWork(script), undo: 'none', ...more },
});
const undoBy = (name: string) => {
  const { name: _name, undo: _undo, ...work } = http(name);
  return { undo: work };
};
const onBack = (name: string) => {
  const { undo: _undo, ...hook } = http(name);
  return hook;
};

async function withHooks(hooks: object, more: object = {}): Promise<void> {
  const { application } = guestbookDocuments(book.place);
  const components = application.spec.components.map((one) => ({ ...one, hooks }));
  const spec = { ...application.spec, components, ...more };
  await api.put('applications', { ...application, spec });
}

const planOf = async (id: string): Promise<Plan> =>
  planSchema.parse((await api.insist('GET', `/v1/upgrades/${id}/plan`)).body);
const step = ({ data }: HistoryEvent): string => String(data['step']).split('/').at(-1) ?? '';
/** The steps that hooks are, as they ended, in order. */
const done = (history: readonly HistoryEvent[]): string[] =>
  history
    .filter(({ type }) => type === 'step-succeeded')
    .map((event) => step(event).replace(/^\d+-/, ''))
    .filter((name) => /^(before|after|undo|on-rollback|remove-jobs)/.test(name));
const saidBy = (history: readonly HistoryEvent[], name: string): unknown =>
  history.find((event) => event.type === 'step-succeeded' && step(event) === name)?.data['output'];
/** Containers of the upgrade's jobs, running or not. */
const jobsOf = (upgrade: string): Promise<string> => {
  const labels = ['role=job', `upgrade=${upgrade}`];
  return book.docker(
    ...['ps', '-aq', ...labels.flatMap((label) => ['--filter', `label=dev.liftlock.${label}`])],
  );
};

describe('hooks on a real Docker Engine', () => {
  it('run where the plan says, in the right version, and their secrets are nowhere to be found', async () => {
    await withHooks({
      before: [
        http('drain'),
        command('which', 'cat /www/version; echo $P', { env: { P: '${LIFTLOCK_SECRET_HOOK}' } }),
      ],
      after: [
        command('now', 'cat /www/version'),
        job('format', 'cat /data/format; echo "$WAS $P"', {
          env: { WAS: '${LIFTLOCK_FROM_VERSION}', P: '${LIFTLOCK_SECRET_HOOK}' },
        }),
        http('open'),
      ],
      onRollback: [onBack('never')],
    });
    const { id } = await book.upgrade('2.0');
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    const history = await api.history(id);
    expect(done(history)).toEqual([
      ...['before-drain', 'before-which', 'after-now', 'after-format', 'after-open'],
      'remove-jobs',
    ]);
    expect(saidBy(history, 'before-which')).toMatchObject({
      said: ['1.0', '${LIFTLOCK_SECRET_HOOK}'],
    });
    expect(saidBy(history, 'after-now')).toMatchObject({ said: ['2.0'] });
    expect(saidBy(history, 'after-format')).toMatchObject({
      said: ['2', '1.0 ${LIFTLOCK_SECRET_HOOK}'],
    });
    const authorization = `Bearer ${SECRET}`;
    expect(calls).toEqual([
      { what: 'POST /drain', authorization, serves: '1.0' },
      { what: 'POST /open', authorization, serves: '2.0' },
    ]);
    expect(await jobsOf(id)).toBe('');

    const logs = JSON.stringify((await api.insist('GET', `/v1/upgrades/${id}/logs`)).body);
    const sinks: Sink[] = [
      { name: 'plan', content: Buffer.from(JSON.stringify(await planOf(id))) },
      { name: 'history', content: Buffer.from(JSON.stringify(history)) },
      { name: 'logs', content: Buffer.from(logs) },
      { name: 'log of the executor', content: readFileSync(join(folder, 'log/executor.log')) },
      ...(await databaseRows(fleet.adminDatabaseUrl)),
    ];
    expect(logs).toContain('answered 200');
    expect(
      sinks.some(({ name, content }) => /steps|claims/.test(name) && content.includes(id)),
    ).toBe(true);
    expect(leaks(sinks, { hook: SECRET })).toEqual([]);
  });

  it('one that fails afterwards takes all back, each undone in its place, and what is for the way back comes last', async () => {
    const before = await book.dataDigest();
    await withHooks({
      before: [
        command('mark', 'true', { undo: jobWork('true') }),
        ...[http('drain', undoBy('undrain')), http('note', undoBy('unnote'))],
      ],
      after: [
        http('open', undoBy('unopen')),
        job('spoil', 'echo spoilt >> /data/entries', { undo: 'none' }),
        command('accept', 'echo "not like this" >&2; exit 9', {
          ...undoBy('unaccept'),
          retries: 1,
        }),
      ],
      onRollback: [onBack('back'), { name: 'sweep', ...jobWork('true') }],
    });
    const { id } = await book.upgrade('2.0');
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('rolled_back');
    expect(end.message).toContain('ended with 9, not 0; it last said: not like this');
    // an undo of what failed runs, too: it had begun
    expect(calls.map(({ what, serves }) => `${what.slice(6)} ${serves}`)).toEqual([
      ...['drain 1.0', 'note 1.0', 'open 2.0', 'unaccept 2.0', 'unopen 2.0'],
      ...['unnote 1.0', 'undrain 1.0', 'back 1.0'],
    ]);
    const history = await api.history(id);
    const again = history.filter(({ type }) => type === 'step-retrying').map(step);
    // a step on the way back may be tried again for reasons of its own
    expect(again.filter((name) => /^(before|after)-/.test(name))).toEqual(['after-accept']);
    const compensation = (await planOf(id)).hops[0]?.compensation.map((one) =>
      one.id.split('/').at(-1),
    );
    const order = history
      .filter(
        (event) => event.type === 'step-succeeded' && String(event.data['step']).includes('/back/'),
      )
      .map(step);
    expect(order).toEqual(compensation);
    expect(await book.version()).toBe('1.0');
    expect(await book.dataDigest()).toBe(before);
    expect(await book.containers()).toEqual([book.name]);
    expect(await jobsOf(id)).toBe('');
  });

  it('an edit is put back behind the restore, and before the old version starts and reads the file', async () => {
    const hello = 'Hello from the first guest';
    const greet = { line: hello, with: [hello, 'and from ${LIFTLOCK_TO_VERSION}'] };
    const path = '/data/entries';
    await withHooks({
      before: [
        { name: 'greet', type: 'edit', path, replace: [greet] },
        command('look', 'cat /data/entries'),
      ],
    });
    const records = (): Promise<string> =>
      book.docker('volume', 'ls', '-q', '--filter', 'label=dev.liftlock.role=edit');
    // what it started with, each time
    const starts = async (): Promise<string[]> =>
      (await book.docker('logs', book.name)).match(/guest book .*/g) ?? [];
    const failed = await book.upgrade('4.0');
    const back = await api.untilEnded(failed.id);
    expect(back.state, back.message).toBe('rolled_back');
    const history = await api.history(failed.id);
    expect(saidBy(history, 'before-look')).toMatchObject({ said: [hello, 'and from 4.0'] });
    expect(done(history)).toEqual(['before-greet', 'before-look', 'undo-greet']);
    expect(await book.entries()).toEqual([hello]);
    expect(await starts()).toEqual(Array(2).fill('guest book 1.0: 1 entries'));
    expect(await records()).toBe('');

    const { id } = await book.upgrade('2.0');
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    expect(await book.entries()).toEqual([hello, 'and from 2.0']);
    expect(await starts()).toEqual(['guest book 2.0: 2 entries']);
    expect(await records()).toBe('');
  });

  it('what is held around it is let go of on the way out, here after the way back', async () => {
    const call = (name: string) => {
      const { name: _name, undo: _undo, ...work } = http(name);
      return work;
    };
    const around = [{ name: 'scaling', acquire: call('off'), release: call('on') }];
    await withHooks({ before: [http('drain')], onRollback: [onBack('back')] }, { around });
    const { id } = await book.upgrade('4.0');
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('rolled_back');
    expect(calls.map(({ what, serves }) => `${what.slice(6)} ${serves}`)).toEqual([
      ...['off 1.0', 'drain 1.0', 'back 1.0', 'on 1.0'],
    ]);
  });

  it('of the whole application run once, around all instances; one that fails behind the last takes all back', async () => {
    const instance = { component: 'web' };
    const ofAll = (accept: string) => ({
      before: [http('page', undoBy('unpage')), command('which', 'cat /www/version', { instance })],
      after: [
        job('migrate', 'echo of-all >> /data/entries; cat /data/format', {
          ...{ instance, undo: { ...jobWork('cat /data/entries'), instance } },
        }),
        http('publish', undoBy('unpublish')),
        command('accept', accept, { instance }),
      ],
      onRollback: [onBack('mourn'), { name: 'sweep', ...jobWork('cat /data/format'), instance }],
    });
    const dataBefore = await book.dataDigest();
    const told = (): string[] => calls.map(({ what, serves }) => `${what.slice(6)} ${serves}`);
    await withHooks({ before: [http('drain')] }, { hooks: ofAll('exit 9') });
    const failed = await book.upgrade('2.0');
    const back = await api.untilEnded(failed.id);
    expect(back.state, back.message).toBe('rolled_back');
    expect(back.message).toContain('ended with 9, not 0');
    expect(told()).toEqual([
      ...['page 1.0', 'drain 1.0', 'publish 2.0'],
      ...['unpublish 2.0', 'unpage 1.0', 'mourn 1.0'],
    ]);
    const history = await api.history(failed.id);
    expect(saidBy(history, 'before-which')).toMatchObject({ said: ['1.0'] });
    expect(saidBy(history, 'after-migrate')).toMatchObject({ said: ['2'] });
    const seen = saidBy(history, 'undo-after-migrate');
    expect(JSON.stringify(seen)).toContain('"of-all"');
    expect(await book.version()).toBe('1.0');
    // what a job of the whole application wrote is taken back with the data of its instance
    expect(await book.dataDigest()).toBe(dataBefore);
    expect(await jobsOf(failed.id)).toBe('');

    calls = [];
    await withHooks({ before: [http('drain')] }, { hooks: ofAll('grep 2.0 /www/version') });
    const { id } = await book.upgrade('2.0');
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    expect(told()).toEqual(['page 1.0', 'drain 1.0', 'publish 2.0']);
    expect(await book.version()).toBe('2.0');
    expect(await jobsOf(id)).toBe('');
  });

  it('behind one that cannot be undone there is no way back: the plan warns, a failure asks a person, and a retry goes on', async () => {
    await withHooks({
      after: [
        command('seal', 'touch /tmp/sealed', { undo: undefined, irreversible: true }),
        command('look', 'test -e /tmp/mended'),
      ],
    });
    const { id } = await book.upgrade('2.0');
    const stuck = await api.untilEnded(id);
    expect(stuck.state).toBe('needs_attention');
    expect(stuck.warnings.join()).toContain('seal of web cannot be undone');
    expect(stuck.message).toContain('cannot be taken back');
    expect((await api.act(id, 'rollback')).status).toBe(409);
    await book.docker('exec', book.name, 'sh', '-c', 'touch /tmp/mended');
    expect((await api.act(id, 'retry', { step: stuck.attention[0]?.step })).status).toBeLessThan(
      300,
    );
    expect((await api.untilEnded(id)).state).toBe('succeeded');
    expect(await book.version()).toBe('2.0');
  });
});
