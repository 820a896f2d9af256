import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.js';
import { freshFleet, type FreshFleet } from '../support/fleet.js';
import { Isecl } from '../support/isecl.js';
import { startKubernetes } from '../support/kubernetes.js';
import { atEachStep, expectOnce, killAll } from './dispatched-steps.js';

const DEADLINE_MS = 600_000;

let fleet: FreshFleet;
let api: ApiClient;
let isecl: Isecl;

beforeAll(async () => {
  isecl = Isecl.open(await startKubernetes(true));
  fleet = await freshFleet({
    env: {
      LIFTLOCK_DRIVERS: 'kubernetes',
      LIFTLOCK_FOLDERS: isecl.share,
      // short, so that a death is noticed while a test waits
      LIFTLOCK_LEASE_MS: '3000',
      LIFTLOCK_SWEEP_MS: '400',
      LIFTLOCK_SECRET_KMIP_USERNAME: 'kmip-admin',
      LIFTLOCK_SECRET_KMIP_PASSWORD: 'kmip-secret-7',
      ...isecl.env,
    },
  });
  api = new ApiClient(fleet.fleet.url, fleet.fleet.token, 300_000);
});
afterAll(async () => {
  await fleet?.stop();
  await isecl?.close();
});

/** What is done and undone in the lane of kbs, without what it begins and ends with. */
const THERE = ['stop', 'snapshot', 'stopped-kmip-host', 'stopped-kmip-login', 'stopped-upgrade'];
const STEPS = {
  rolled_back: [
    ...[...THERE, 'remove-jobs', 'restore', 'undo-kmip-login', 'undo-kmip-host'],
    ...['restore-old', 'check-old', 'remove-new'],
  ],
  succeeded: [...THERE, 'replace', 'check', 'remove-old', 'remove-jobs', 'forget-objects'],
} as const;

describe('example A on a real cluster', () => {
  it.each([
    ['kbs', 'rolled_back'],
    ['', 'succeeded'],
  ] as const)(
    'kill -9 of every service at each step of the kbs lane, with a failing %j: %s',
    async (fail, end) => {
      await isecl.start(api, { fail, only: ['kbs'] });
      const before = await isecl.state();
      const { id } = await isecl.upgrade(api);
      const met = await atEachStep(api, id, DEADLINE_MS, async (step) => {
        if (step.id.includes('/kbs@')) await killAll(fleet.fleet);
      });
      const view = await api.untilEnded(id, DEADLINE_MS);
      expect(view.state, view.message).toBe(end);
      if (end === 'rolled_back') expect(await isecl.state()).toEqual(before);
      else expect(isecl.version('kbs')).toBe('v4.0.0');
      expect(met.map((step) => step.id.replace(/^.*\/(?:\d+-)?/, ''))).toEqual(
        expect.arrayContaining([...STEPS[end]]),
      );
      expectOnce(await api.history(id));
      expect(await isecl.left()).toEqual([]);
    },
  );
});
