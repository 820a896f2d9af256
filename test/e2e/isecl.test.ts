import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { HistoryEvent } from '#contracts';
import { ApiClient } from '../support/api-client.js';
import { freshFleet, type FreshFleet } from '../support/fleet.js';
import { Isecl } from '../support/isecl.js';
import { startKubernetes } from '../support/kubernetes.js';

/** An upgrade of twelve services, one at a time, each ended before the next: a kubelet of 1.20 lets a pod go every ten seconds. */
const DEADLINE_MS = 1_200_000;
vi.setConfig({ testTimeout: DEADLINE_MS + 300_000 });
const LOGIN = { KMIP_USERNAME: 'kmip-admin', KMIP_PASSWORD: 'kmip-secret-7' };

let fleet: FreshFleet;
let api: ApiClient;
let scenes: readonly Isecl[];
/** One for each test: they go at the same time, and mostly wait. */
let up: Isecl;
let failing: Isecl;
let unready: Isecl;

beforeAll(async () => {
  const open = async (): Promise<Isecl> => Isecl.open(await startKubernetes(true));
  scenes = await Promise.all([open(), open(), open()]);
  [up, failing, unready] = scenes as [Isecl, Isecl, Isecl];
  fleet = await freshFleet({
    env: {
      LIFTLOCK_DRIVERS: 'kubernetes',
      LIFTLOCK_FOLDERS: scenes.map(({ share }) => share).join(':'),
      LIFTLOCK_SECRET_KMIP_USERNAME: LOGIN.KMIP_USERNAME,
      LIFTLOCK_SECRET_KMIP_PASSWORD: LOGIN.KMIP_PASSWORD,
      ...up.env,
      ...failing.env,
      ...unready.env,
    },
  });
  api = new ApiClient(fleet.fleet.url, fleet.fleet.token);
});
afterAll(async () => {
  await fleet?.stop();
  for (const scene of scenes ?? []) await scene.close();
});

const laneEvents = (history: readonly HistoryEvent[], type: string): string[] =>
  history
    .filter((event) => event.type === `lane-${type}`)
    .map(({ data }) => String(data['instance']).replace(/@.*$/, ''));

describe.concurrent('example A: Intel SecL on two nodes', () => {
  it('goes from v3.6 to v4.0, tier by tier and one service at a time; too few nodes are refused unless the document allows it', async () => {
    await up.start(api);
    await up.apply(api, { also: { minNodes: 3 } });
    const refused = await api.insist('POST', '/v1/plans', up.request);
    expect(refused.status).toBe(422);
    expect(JSON.stringify(refused.body)).toContain('2 nodes');
    await up.apply(api);

    const { id } = await up.upgrade(api);
    const end = await api.untilEnded(id, DEADLINE_MS);
    expect(end.state, end.message).toBe('succeeded');
    const history = await api.history(id);
    expect(laneEvents(history, 'verified')).toEqual([
      ...['scs-db', 'shvs-db', 'cms', 'aas', 'scs', 'shvs'],
      ...['sqvs', 'kbs', 'sgx-agent', 'isecl-controller', 'ihub', 'isecl-scheduler'],
    ]);
    for (const service of up.services())
      expect([service, up.version(service)]).toEqual([service, 'v4.0.0']);
    const { cluster } = up;
    const { data } = await cluster.get('configmap', 'kbs-config');
    expect(data['KMIP_HOSTNAME']).toBe('kmip.example.com');
    const secret = await cluster.get('secret', 'kbs-secret');
    for (const [key, value] of Object.entries(LOGIN))
      expect(Buffer.from(secret.data[key] ?? '', 'base64').toString()).toBe(value);
    expect(await up.left()).toEqual([]);
  });

  it('the job of kbs fails: all in scope is back on v3.6, objects as they were, data to the byte', async () => {
    await failing.start(api, { fail: 'kbs' });
    const before = await failing.state();
    const { id } = await failing.upgrade(api);
    const end = await api.untilEnded(id, DEADLINE_MS);
    expect(end.state, end.message).toBe('rolled_back');
    expect(end.message).toContain('key transfer policies are not consistent');
    expect(await failing.state()).toEqual(before);
    expect(laneEvents(await api.history(id), 'taken-back')).toHaveLength(8);
    expect(await failing.left()).toEqual([]);
  });

  it('sqvs never becomes ready: all in scope is back, and the failure names why', async () => {
    await unready.start(api, {
      ...{ fail: 'sqvs', only: ['cms', 'scs', 'sqvs'] },
      deadlineSeconds: 60,
    });
    const before = await unready.state();
    const { id } = await unready.upgrade(api);
    const end = await api.untilEnded(id, DEADLINE_MS);
    expect(end.state, end.message).toBe('rolled_back');
    expect(end.message).toMatch(/sqvs.*waiting for the trusted root CA, which is not there/s);
    expect(await unready.state()).toEqual(before);
    expect(await unready.left()).toEqual([]);
  });
});
