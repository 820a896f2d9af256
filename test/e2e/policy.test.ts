import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#kernel';
import { storedDocument, tokenCreated, upgradeView, type Role } from '#contracts';
import { Cli, type CliEnd } from '../support/cli.js';
import { ModelFleet, type ModelRun } from '../support/model-fleet.js';

let fleet: ModelFleet;
let people = 0;
beforeAll(async () => {
  fleet = await ModelFleet.start();
});
afterAll(() => fleet.stop());

/** The command line of a new person. */
async function person(role: Role): Promise<Cli> {
  people += 1;
  const body = { name: `${role}-${people}`, role };
  const { token } = tokenCreated.parse((await fleet.api.insist('POST', '/v1/tokens', body)).body);
  return Cli.of(fleet.fleet.url, token);
}

async function policyOf(
  run: Pick<ModelRun, 'name' | 'world'>,
  policy: object,
  name = run.name,
): Promise<void> {
  await fleet.api.put('environments', {
    ...{ apiVersion: 'liftlock.dev/v1', kind: 'Environment', metadata: { name } },
    spec: { targets: [{ name: 'host', driver: 'model', endpoint: run.world }], policy },
  });
}

async function begun(cli: Cli, run: ModelRun, ...more: string[]): Promise<string> {
  const target = [run.name, run.name, `${run.name}-2.0`];
  const end = await cli.run(['upgrade', ...target, '--yes', '--no-watch', ...more]);
  expect(end.code, end.stderr).toBe(0);
  return end.stdout.trim();
}

const digestIn = ({ stdout }: CliEnd): string =>
  /plan (sha256:[0-9a-f]{64})/.exec(stdout)?.[1] ?? '';

describe('a freeze', () => {
  it('is waited out, while every service is restarted, and the upgrade begins by itself', async () => {
    /** Nothing, when it was over before all of it was seen. */
    const seenIn = async (lastsMs: number) => {
      const run = await fleet.newWorld();
      const [from, to] = [-3_600_000, lastsMs].map((ms) => new Date(Date.now() + ms).toISOString());
      await policyOf(run, { freezes: [{ name: 'sale', from, to, reason: 'all tills are open' }] });
      const ann = await person('requester');
      const planned = await ann.run(['plan', run.name, run.name, `${run.name}-2.0`]);
      const id = await begun(ann, run);
      const waiting = await waitFor(
        async () => {
          const view = await fleet.api.get(id);
          return view.state === 'planning' ? undefined : view;
        },
        { what: 'the plan', deadlineMs: 60_000 },
      );
      const shown = await ann.run(['status', id]);
      if (Date.now() >= Date.parse(to ?? '')) return undefined;
      return { id, to, waiting, planned, shown };
    };
    let seen = await seenIn(60_000);
    // a plan keeps its freeze whatever becomes of the document: a slow machine gets a longer one
    for (let ms = 120_000; seen === undefined && ms < 300_000; ms *= 2) seen = await seenIn(ms);
    if (seen === undefined) throw new Error('four minutes are too few to see a freeze');
    const { id, to, waiting, planned, shown } = seen;
    expect(planned.stdout).toMatch(/may start: \S+ [\d-]+ [\d:]+ UTC \(frozen \(sale\): all tills/);
    expect([waiting.state, waiting.waiting?.until]).toEqual(['scheduled', to]);
    expect(shown.stdout).toContain('waits      frozen (sale): all tills are open until ');
    await fleet.fleet.nats.wipe();
    for (const app of ['coordinator', 'planner', 'gateway'] as const)
      await fleet.killAndRestart(app, async () => undefined);
    const end = await fleet.api.untilEnded(id, 480_000);
    expect(end.state, end.message).toBe('succeeded');
    const began = (await fleet.api.history(id)).find(({ data }) => data.to === 'running');
    expect(Date.parse(began?.at ?? '')).toBeGreaterThanOrEqual(Date.parse(to ?? ''));
  });

  it('holds for what was planned before it was written, and nothing is begun', async () => {
    const run = await fleet.newWorld();
    const approvals = [{ role: 'approver', count: 1 }];
    await policyOf(run, { approvals });
    const [ann, ben] = [await person('requester'), await person('approver')];
    const id = await begun(ann, run);
    const { planDigest } = await fleet.api.until(id, 'awaiting_approval');
    const [from, to] = [-3_600_000, 3_600_000].map((ms) => new Date(Date.now() + ms).toISOString());
    const freezes = [{ name: 'incident', from, to, reason: 'the tills are down' }];
    await policyOf(run, { approvals, freezes });
    expect((await ben.run(['approve', id])).stdout).toContain('scheduled');
    const waiting = await waitFor(
      async () => {
        const view = await fleet.api.get(id);
        return view.waiting?.until === to ? view : undefined;
      },
      { what: 'the freeze to be told', deadlineMs: 60_000 },
    );
    expect(waiting).toMatchObject({ planDigest, state: 'scheduled' });
    expect(waiting.waiting?.message).toContain('frozen (incident): the tills are down');
    expect(await run.ledger()).toEqual([]);
    expect((await ann.run(['cancel', id])).code).toBe(0);
  });
});

describe('approvals', () => {
  it('two people who did not ask for it agree to the plan that they saw, and it runs', async () => {
    const run = await fleet.newWorld();
    await policyOf(run, { approvals: [{ role: 'approver', count: 2 }] });
    const [ann, ben, cyd] = [
      await person('requester'),
      await person('approver'),
      await person('approver'),
    ];
    const target = [run.name, run.name, `${run.name}-2.0`];
    const digest = digestIn(await ann.run(['plan', ...target]));
    const id = await begun(ann, run, '--plan', digest);
    await fleet.api.until(id, 'awaiting_approval');
    expect((await ann.run(['approve', id])).stderr).toContain('this needs approver');
    const other = await ben.run(['approve', id, '--plan', `sha256:${'0'.repeat(64)}`]);
    expect(other.code).toBe(1);
    expect(other.stderr).toContain(`its plan is ${digest}`);
    const first = await ben.run(['approve', id, '--plan', digest, '--comment', 'seen on staging']);
    expect(first.stdout).toContain('awaiting_approval: still needed: 1 approver');
    expect((await ben.run(['approve', id])).stderr).toContain('one person counts once');
    const shown = await ann.run(['get', 'upgrade', id]);
    expect(shown.stdout).toMatch(/approved {3}\S+ by approver-\d+ \(approver\): seen on staging/);
    expect(shown.stdout).toContain('needs      1 approver, not by who asked for it');
    expect(await run.ledger()).toEqual([]);
    const last = await cyd.run(['approve', id, '--watch']);
    expect(last.code, last.stdout).toBe(0);
    const told = await ann.run(['get', 'upgrade', id, '-o', 'json']);
    expect(upgradeView.parse(JSON.parse(told.stdout)).approvals).toMatchObject({
      ...{ missing: [], given: [{ plan: digest }, { plan: digest }] },
    });
  });
});

describe('promotion, and the emergency path', () => {
  it('production takes what succeeded in staging; a security release need not wait for the freeze', async () => {
    const [run, other] = [await fleet.newWorld(), await fleet.newWorld()];
    const [staging, release] = [`${run.name}-staging`, `${run.name}-2.0`];
    const [from, to] = [-3_600_000, 3_600_000].map((ms) => new Date(Date.now() + ms).toISOString());
    await policyOf(other, {}, staging);
    await policyOf(run, {
      promotion: { from: staging },
      freezes: [{ name: 'sale', from, to, reason: 'all tills are open' }],
      emergency: { role: 'operator' },
    });
    const [ann, opal] = [await person('requester'), await person('operator')];
    const lacks = `${run.name} was never upgraded to ${release} there`;
    const planned = await ann.run(['plan', run.name, run.name, release]);
    expect(planned.stdout, planned.stderr).toContain(lacks);
    const refused = await fleet.api.untilEnded(await begun(ann, run));
    expect([refused.state, refused.message]).toEqual(['failed', expect.stringContaining(lacks)]);

    const application = run.name;
    const before = await fleet.api.upgrade({ environment: staging, application, release });
    expect((await fleet.api.untilEnded(before.id)).state).toBe('succeeded');
    const frozen = await begun(ann, run);
    expect((await fleet.api.until(frozen, 'scheduled')).waiting?.until).toBe(to);
    expect((await opal.run(['cancel', frozen])).code).toBe(0);

    const emergency = ['--emergency', '--reason', 'it is exploited'];
    const asked = ['upgrade', run.name, run.name, release, '--yes', '--no-watch', ...emergency];
    expect((await opal.run(asked)).stderr).toContain(`${release} is not a security release`);
    const { document } = storedDocument.parse(
      (await fleet.api.insist('GET', `/v1/releases/${release}`)).body,
    );
    if (document.kind !== 'Release') throw new Error(document.kind);
    const security = { advisories: ['CVE-2026-12345'] };
    await fleet.api.put('releases', { ...document, spec: { ...document.spec, security } });
    expect((await ann.run(asked)).stderr).toContain('needs operator (its spec.policy.emergency)');
    const id = await begun(opal, run, ...emergency);
    const end = await fleet.api.untilEnded(id);
    expect([end.state, end.emergency], end.message).toEqual([
      'succeeded',
      { reason: 'it is exploited', advisories: ['CVE-2026-12345'], skips: ['freezes'] },
    ]);
    const [created] = await fleet.api.history(id);
    expect(created?.data['emergency']).toEqual({ reason: 'it is exploited', role: 'operator' });
    expect((await ann.run(['status', id])).stdout).toContain(
      'emergency  CVE-2026-12345: it is exploited (skips freezes)',
    );
  });
});
