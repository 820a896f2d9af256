import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloudEvent, type LiftlockCloudEvent } from '#contracts';
import { EmbeddedFleet } from '#fleet';
import { waitFor } from '#kernel';
import { guestbookDocuments } from '../../examples/guestbook/index.js';
import { ApiClient } from '../support/api-client.js';
import { startDocker, type TestEngine } from '../support/docker.js';
import { Guestbook } from './guestbook.js';

let folder: string;
let fleet: EmbeddedFleet;
let engine: TestEngine;
let api: ApiClient;
let book: Guestbook;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-e2e-'));
  engine = await startDocker();
  fleet = await EmbeddedFleet.start({ folder, tied: true, fsync: false });
  api = new ApiClient(fleet.url, fleet.token);
});
afterAll(async () => {
  await fleet.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  book = await Guestbook.create(api, engine.host);
});
afterEach(async () => {
  await book.remove();
});

describe('on a real Docker Engine', () => {
  it('a working version takes over with the data, and what was kept is removed', async () => {
    const { id } = await book.upgrade('2.0');
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    expect(await book.version()).toBe('2.0');
    expect(await book.containers()).toEqual([book.name]);
    const policy = await book.docker(
      'inspect',
      '-f',
      '{{.HostConfig.RestartPolicy.Name}} {{.Config.Image}}',
      book.name,
    );
    expect(policy.split(' ')[0]).toBe('unless-stopped');
    expect(end.changes).toMatchObject([
      { instance: 'web@host', from: '1.0', to: '2.0', updated: true },
    ]);
  });

  it('a version that breaks its data and never answers is let down again, data byte for byte', async () => {
    const before = await book.dataDigest();
    const { id } = await book.upgrade('3.0');
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('rolled_back');
    expect(await book.version()).toBe('1.0');
    expect(await book.dataDigest()).toBe(before);
    expect(await book.containers()).toEqual([book.name]);
    expect(
      await book.docker('inspect', '-f', '{{.HostConfig.RestartPolicy.Name}}', book.name),
    ).toBe('unless-stopped');
  });

  it('a version that ends at once is named with its last words, and let down again', async () => {
    const before = await book.dataDigest();
    const { id } = await book.upgrade('4.0');
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('rolled_back');
    expect(JSON.stringify(await api.history(id))).toContain('no licence');
    expect(await book.version()).toBe('1.0');
    expect(await book.dataDigest()).toBe(before);
  });

  it('what changed since the plan stops it before anything is touched', async () => {
    const { id } = await book.upgrade('2.0', { approval: 'required' });
    await api.until(id, 'awaiting_approval');
    await book.docker('rm', '-f', book.name);
    await book.docker(
      'run',
      '-d',
      '--name',
      book.name,
      '-v',
      `${book.name}:/data`,
      book.image('1.0'),
    );
    await api.act(id, 'approve');
    const end = await api.untilEnded(id);
    expect(end.state).toBe('failed');
    expect(end.error?.code).toBe('drift');
    expect(await book.containers()).toEqual([book.name]);
  });

  it('a rollback by hand while it bakes brings the old version back; after the bake it is refused with the way out', async () => {
    const before = await book.dataDigest();
    const { id } = await book.upgrade('2.0', { bakeSeconds: 600 });
    await api.until(id, 'baking');
    expect(await book.version()).toBe('2.0');
    expect((await api.act(id, 'rollback', { reason: 'looks odd' })).status).toBeLessThan(300);
    expect((await api.untilEnded(id)).state).toBe('rolled_back');
    expect(await book.version()).toBe('1.0');
    expect(await book.dataDigest()).toBe(before);

    const again = await book.upgrade('2.0');
    const second = await api.untilEnded(again.id);
    expect(second.state, second.message).toBe('succeeded');
    const late = await api.act(again.id, 'rollback');
    expect(late.status).toBe(409);
    expect(JSON.stringify(late.body)).toContain('new upgrade');
  });

  it('a second upgrade of what one holds is refused, and the first is named', async () => {
    const first = await book.upgrade('2.0', { bakeSeconds: 600 });
    await api.until(first.id, 'baking');
    const second = await api.request('POST', '/v1/upgrades', {
      environment: book.name,
      application: book.name,
      release: `${book.name}-3.0`,
    });
    expect(second.status).toBe(409);
    expect(JSON.stringify(second.body)).toContain(first.id);
    await api.act(first.id, 'rollback');
    await api.untilEnded(first.id);
  });

  it('two identical posts with one key are one upgrade; another request with the same key is refused', async () => {
    const body = {
      environment: book.name,
      application: book.name,
      release: `${book.name}-2.0`,
      policy: { approval: 'required' },
    };
    const [one, two] = await Promise.all([
      api.upgrade(body, book.name),
      api.upgrade(body, book.name),
    ]);
    expect(two.id).toBe(one.id);
    const other = await api.request(
      'POST',
      '/v1/upgrades',
      { ...body, reason: 'other' },
      { 'idempotency-key': book.name },
    );
    expect(other.status).toBe(422);
    await api.act(one.id, 'cancel');
    expect((await api.untilEnded(one.id)).state).toBe('cancelled');
  });

  it('a subscriber with read-only credentials sees the whole life of an upgrade as CloudEvents', async () => {
    const connection = await connect(fleet.natsLogin('subscriber'));
    const seen: LiftlockCloudEvent[] = [];
    const subscription = connection.subscribe(`liftlock.event.${book.name}.>`, {
      callback: (_error, message) => {
        seen.push(cloudEvent.parse(message.json()));
      },
    });
    await connection.flush();
    const { id } = await book.upgrade('2.0');
    await api.untilEnded(id);
    const history = await api.history(id);
    const ids = await waitFor(
      () =>
        new Set(seen.map((event) => event.id)).size === history.length &&
        new Set(seen.map((event) => event.id)),
      {
        what: `${history.length} events`,
        deadlineMs: 60_000,
      },
    );
    expect(ids).toEqual(new Set(history.map((event) => `${id}:${event.sequence}`)));
    // one whose answer was lost is sent again, and heard twice
    const once = new Map(seen.map((event) => [event.id, event]));
    expect([...once.values()].at(-1)?.type).toBe('dev.liftlock.upgrade-succeeded.v1');
    subscription.unsubscribe();
    await connection.close();
  });

  it('paused, nothing further is begun; resumed, it goes on to the end', async () => {
    // what is under way when it is paused does not end before that
    const inside = (script: string) => book.docker('exec', book.name, 'sh', '-c', script);
    const { application } = guestbookDocuments(book.place);
    const gate = {
      ...{ name: 'gate', type: 'command', undo: 'none', timeoutSeconds: 600 },
      command: ['sh', '-c', 'touch /tmp/here; until [ -e /tmp/go ]; do sleep 0.1; done'],
    };
    const components = application.spec.components.map((one) => ({
      ...{ ...one, hooks: { before: [gate] } },
    }));
    await api.put('applications', { ...application, spec: { ...application.spec, components } });
    const { id } = await book.upgrade('2.0');
    await waitFor(() => inside('ls /tmp/here'), {
      what: 'a hook at work',
      deadlineMs: 60_000,
    });
    expect((await api.act(id, 'pause')).status).toBeLessThan(300);
    const { stepsDone } = (await api.get(id)).progress;
    await inside('touch /tmp/go');
    await waitFor(async () => (await api.get(id)).progress.stepsDone > stepsDone, {
      what: 'the end of the hook',
      deadlineMs: 60_000,
    });
    const { state, progress } = await api.get(id);
    expect([state, progress.stepsDone]).toEqual(['paused', stepsDone + 1]);
    expect(await book.version()).toBe('1.0');
    expect((await api.act(id, 'resume')).status).toBeLessThan(300);
    expect((await api.untilEnded(id)).state).toBe('succeeded');
  });
});
