import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HistoryEvent } from '#contracts';
import { EmbeddedFleet } from '#fleet';
import { waitFor } from '#kernel';
import { ApiClient } from '../support/api-client.js';
import { LightwaveHosts, NODES } from '../support/lightwave-hosts.js';
import { expectNothingLeft } from '../support/lightwave-left-behind.js';
import { IMAGE, Lightwave } from '../support/lightwave.js';

const PASSWORD = `Admin!23-${Math.random().toString(36).slice(2)}`;
const SECRET = 'LIFTLOCK_SECRET_LIGHTWAVE_ADMIN';
/** Seconds that an upgrade lasts which a test ends: fewer than its check has. */
const LONG = 500;
let folder: string;
let fleet: EmbeddedFleet;
let hosts: LightwaveHosts;
let api: ApiClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-e2e-'));
  [hosts, fleet] = await Promise.all([
    LightwaveHosts.start(),
    EmbeddedFleet.start({ folder, tied: true, fsync: false }),
  ]);
  api = new ApiClient(fleet.url, fleet.token);
});
afterAll(async () => {
  await fleet.stop();
  await hosts.stop();
  rmSync(folder, { recursive: true, force: true });
});

const secretFile = (): string => join(folder, 'data/executor/secrets', SECRET);
async function start(more: Partial<Parameters<typeof Lightwave.start>[2]> = {}) {
  mkdirSync(join(folder, 'data/executor/secrets'), { recursive: true, mode: 0o700 });
  writeFileSync(secretFile(), `${PASSWORD}\n`, { mode: 0o600 });
  pair = await Lightwave.start(api, hosts, { password: PASSWORD, ...more });
  return pair;
}

/** What the test is about: for what a table of cases does to it. */
let pair: Lightwave | undefined;

const laneEvents = (history: readonly HistoryEvent[]): string[] =>
  history
    .filter(({ type }) => /^lane-(started|verified|failed|taken-back)$/.test(type))
    .map(({ type, data }) => `${type} ${String(data['instance'])}`);

describe('example D: Lightwave on two Docker hosts', () => {
  it('goes up one replica at a time, with all that its containers were made with, and bakes with the old image beside', async () => {
    const lightwave = await start();
    const settings = await Promise.all(NODES.map((node) => lightwave.settings(node)));
    const old = await Promise.all(NODES.map((node) => lightwave.imageId(node, IMAGE)));
    const { id } = await lightwave.upgrade({ bakeSeconds: 600 });
    await api.until(id, 'baking');
    for (const [index, node] of NODES.entries()) {
      expect(await lightwave.imageId(node, `${IMAGE}-old`)).toBe(old[index]);
      expect(lightwave.hasPassword(node)).toBe(false);
    }
    await api.act(id, 'rollback', { reason: 'the directory is slow' });
    expect((await api.untilEnded(id)).state).toBe('rolled_back');
    for (const [index, node] of NODES.entries()) {
      expect(await lightwave.imageId(node, IMAGE)).toBe(old[index]);
      expect(await lightwave.version(node)).toBe('1.0.0');
    }

    const again = await lightwave.upgrade();
    const end = await api.untilEnded(again.id);
    expect(end.state, end.message).toBe('succeeded');
    const at = (node: number): string => `sts@node-${node}`;
    expect(laneEvents(await api.history(again.id))).toEqual(
      [1, 2].flatMap((node) => [`lane-started ${at(node)}`, `lane-verified ${at(node)}`]),
    );
    for (const [index, node] of NODES.entries()) {
      expect(await lightwave.version(node)).toBe('1.1.0');
      expect(await lightwave.imageId(node, IMAGE)).not.toBe(old[index]);
      expect(await hosts.run(['journal', String(node)])).toContain('Upgrade complete.');
      expect(await lightwave.settings(node)).toEqual(settings[index]);
    }
    expect(settings[0]).toMatchObject({
      ...{ Privileged: true, NetworkMode: 'host', VolumesFrom: ['lw_data'] },
      RestartPolicy: { Name: 'unless-stopped' },
    });
    await expectNothingLeft(lightwave);
  });

  it('that fails on the second replica takes back only that one: versions side by side, data to the byte', async () => {
    const lightwave = await start({ failOn: 2 });
    const before = await lightwave.state(2);
    const { id } = await lightwave.upgrade();
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('partially_succeeded');
    expect(end.message).toContain('Directory upgrade failed: index objectGUID is not consistent');
    expect(await lightwave.state(2)).toEqual(before);
    expect([await lightwave.version(1), await lightwave.version(2)]).toEqual(['1.1.0', '1.0.0']);
    expect(laneEvents(await api.history(id))).toEqual([
      ...['lane-started sts@node-1', 'lane-verified sts@node-1', 'lane-started sts@node-2'],
      ...['lane-failed sts@node-2', 'lane-taken-back sts@node-2'],
    ]);
    await expectNothingLeft(lightwave);
  });

  it('the same with scope upgrade takes both back, data to the byte', async () => {
    const lightwave = await start({ failOn: 2 });
    const before = await Promise.all(NODES.map((node) => lightwave.state(node)));
    const { id } = await lightwave.upgrade({ scope: 'upgrade' });
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('rolled_back');
    expect(await Promise.all(NODES.map((node) => lightwave.state(node)))).toEqual(before);
    expect(await Promise.all(NODES.map((node) => lightwave.version(node)))).toEqual([
      '1.0.0',
      '1.0.0',
    ]);
    await expectNothingLeft(lightwave);
  });

  it('the password is there while it is needed, goes on pause, and comes again', async () => {
    const lightwave = await start({ seconds: LONG });
    const { id } = await lightwave.upgrade();
    await waitFor(() => lightwave.hasPassword(1), {
      what: 'the password',
      deadlineMs: 120_000,
      everyMs: 10,
    });
    await waitFor(async () => (await hosts.run(['journal', '1'])).includes('Running vdcupgrade'), {
      ...{ what: 'the upgrade of node 1', deadlineMs: 60_000, everyMs: 50 },
    });
    expect((await api.act(id, 'pause')).status).toBeLessThan(300);
    await lightwave.goOn(1);
    await waitFor(() => lightwave.hasPassword(1) === false, {
      what: 'no password',
      deadlineMs: 60_000,
    });
    expect((await api.get(id)).state).toBe('paused');
    expect((await api.act(id, 'resume')).status).toBeLessThan(300);
    await lightwave.goOn(2);
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('succeeded');
    const lane = 'h1/w1/sts@node-1/';
    const steps = (await api.history(id))
      .filter(({ type }) => type === 'step-succeeded')
      .map(({ data }) => String(data['step']))
      .filter((step) => step.startsWith(lane))
      .map((step) => step.slice(lane.length));
    // whatever was left to be done there when it went: none of it before it was there again
    const left = steps.slice(steps.indexOf('files/remove') + 1);
    expect(left.slice(0, 1)).toEqual(left.length > 0 ? ['files/write'] : []);
    expect(steps.at(-1)).toBe('files/remove');
    await expectNothingLeft(lightwave);
  });

  it('a way back that is stuck waits for a person without the password, and goes on when it is mended', async () => {
    // the backup is taken away while the upgrade runs
    const lightwave = await start({ failOn: 1, seconds: LONG });
    const before = await lightwave.state(1);
    const { id } = await lightwave.upgrade();
    await waitFor(() => lightwave.hasPassword(1), {
      what: 'the password',
      deadlineMs: 120_000,
      everyMs: 10,
    });
    const backups = join(folder, 'data/backup/directory/lightwave', id);
    const [backup = ''] = readdirSync(backups);
    const away = join(folder, 'backup-away');
    renameSync(join(backups, backup), away);
    await lightwave.goOn(1);
    const stuck = await api.untilEnded(id);
    expect(stuck.state, stuck.message).toBe('needs_attention');
    expect(stuck.message).toContain('there is no backup');
    expect(lightwave.hasPassword(1)).toBe(false);
    renameSync(away, join(backups, backup));
    const [attention] = stuck.attention;
    await api.act(id, 'retry', { step: attention?.step, reason: 'the backup is back' });
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('rolled_back');
    expect(await lightwave.state(1)).toEqual(before);
    await expectNothingLeft(lightwave);
  });

  it.each([
    [
      'a secret that the executor does not know',
      () => rmSync(secretFile()),
      new RegExp(`does not know ${SECRET}`),
    ],
    [
      'a configuration file that is there already',
      () => writeFileSync(join(pair?.configFolder(2) ?? '', 'lightwave-server.cfg'), 'mine'),
      /lightwave-server\.cfg .* is there already/,
    ],
  ])('%s ends it before anything is touched', async (_what, spoil, words) => {
    const lightwave = await start();
    spoil();
    const before = await Promise.all(NODES.map((node) => lightwave.state(node)));
    const { id } = await lightwave.upgrade();
    const end = await api.untilEnded(id);
    expect(end.state, end.message).toBe('failed');
    expect(end.message).toMatch(words);
    expect(await Promise.all(NODES.map((node) => lightwave.state(node)))).toEqual(before);
    rmSync(join(lightwave.configFolder(2), 'lightwave-server.cfg'), { force: true });
    await expectNothingLeft(lightwave);
  });
});
