import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedFleet } from '#fleet';
import { waitFor } from '#kernel';
import { ApiClient } from '../support/api-client.js';
import { LightwaveHosts, NODES } from '../support/lightwave-hosts.js';
import { expectNothingLeft } from '../support/lightwave-left-behind.js';
import { IMAGE, Lightwave, type NodeState } from '../support/lightwave.js';
import { atEachStep, expectOnce, killAll } from './dispatched-steps.js';

const PASSWORD = `Admin!23-${Math.random().toString(36).slice(2)}`;
/** An upgrade that something happens to at each step takes its time. */
const DEADLINE_MS = 800_000;
/** How often the end of an upgrade may come before it is cancelled at its last step. */
const TOO_LATE = 10;
let folder: string;
let fleet: EmbeddedFleet;
let hosts: LightwaveHosts;
let api: ApiClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-chaos-'));
  [hosts, fleet] = await Promise.all([
    LightwaveHosts.start(),
    EmbeddedFleet.start({
      ...{ folder, tied: true, fsync: false },
      // short, so that a death is noticed while a test waits
      env: { LIFTLOCK_LEASE_MS: '3000', LIFTLOCK_SWEEP_MS: '400' },
      appEnv: { executor: { LIFTLOCK_SECRET_LIGHTWAVE_ADMIN: PASSWORD } },
    }),
  ]);
  api = new ApiClient(fleet.url, fleet.token, 300_000);
});
afterAll(async () => {
  await fleet.stop();
  await hosts.stop();
  rmSync(folder, { recursive: true, force: true });
});

const states = (pair: Lightwave): Promise<NodeState[]> =>
  Promise.all(NODES.map((node) => pair.state(node)));

describe('example D on a real engine', () => {
  it('kill -9 of every service at each step, there, half way back and to the end: nothing lost, nothing twice', async () => {
    const pair = await Lightwave.start(api, hosts, { password: PASSWORD, failOn: 2 });
    const before = await pair.state(2);
    const { id } = await pair.upgrade();
    const met = await atEachStep(api, id, DEADLINE_MS, () => killAll(fleet));
    const view = await api.untilEnded(id, DEADLINE_MS);
    expect(view.state, view.message).toBe('partially_succeeded');
    await expectNothingLeft(pair);
    expect(await pair.state(2)).toEqual(before);
    expect(await pair.version(1)).toBe('1.1.0');
    expectOnce(await api.history(id));
    const of = (wanted: string): number =>
      met.filter(({ direction }) => direction === wanted).length;
    // 6 to prepare, 6 of the first replica, 4 of the second; a file written and removed on each
    expect({ forward: of('forward'), bracket: of('bracket') }).toEqual({ forward: 16, bracket: 4 });
    expect({ back: of('back'), finalize: of('finalize') }).toEqual({ back: 5, finalize: 1 });
  });

  it('paused and resumed at each step it ends as if nothing had been', async () => {
    const pair = await Lightwave.start(api, hosts, { password: PASSWORD });
    const { id } = await pair.upgrade();
    let paused = 0;
    await atEachStep(api, id, DEADLINE_MS, async ({ direction }) => {
      if (direction !== 'forward') return;
      // a step that was the last one of its state may have ended in between
      if ((await api.act(id, 'pause')).status >= 300) return;
      paused += 1;
      await waitFor(async () => !NODES.some((node) => pair.hasPassword(node)), {
        ...{ what: 'no password while it is paused', deadlineMs: 120_000 },
      });
      expect((await api.act(id, 'resume')).status).toBeLessThan(300);
    });
    const view = await api.untilEnded(id);
    expect(view.state, view.message).toBe('succeeded');
    expect(paused).toBeGreaterThan(12);
    await expectNothingLeft(pair);
    expectOnce(await api.history(id));
    for (const node of NODES) expect(await pair.version(node)).toBe('1.1.0');
  });

  it('cancelled at every step it is as before, data to the byte, on what was begun as on what was not', async () => {
    let pair = await Lightwave.start(api, hosts, { password: PASSWORD });
    let before = await states(pair);
    const cancelled = new Set<string>();
    let tooLate = 0;
    for (;;) {
      const { id } = await pair.upgrade();
      let at: string | undefined;
      let status = 0;
      await atEachStep(api, id, DEADLINE_MS, async (step) => {
        if (at !== undefined || cancelled.has(step.id) || step.direction === 'finalize') return;
        at = step.id;
        ({ status } = await api.act(id, 'cancel', { reason: `at ${at}` }));
      });
      const view = await api.get(id);
      if (at === undefined) {
        expect(view.state, view.message).toBe('succeeded');
        break;
      }
      if (status === 409 && view.state === 'succeeded' && tooLate < TOO_LATE) {
        // the last step had ended before: that one once more, with a pair that is at the beginning
        tooLate += 1;
        pair = await Lightwave.start(api, hosts, { password: PASSWORD });
        before = await states(pair);
        continue;
      }
      cancelled.add(at);
      expect([at, status < 300, view.state], view.message).toEqual([at, true, 'rolled_back']);
      expect([at, await states(pair)]).toEqual([at, before]);
      for (const node of NODES) {
        expect(pair.hasPassword(node), at).toBe(false);
        expect([at, await pair.records(node)]).toEqual([at, []]);
        expect(await pair.imageId(node, `${IMAGE}-old`), at).toBe(undefined);
      }
    }
    // 6 to prepare; of each replica 6, a file that is written, and removed
    expect(cancelled.size).toBe(6 + 2 * 8);
    await expectNothingLeft(pair);
  });
});
