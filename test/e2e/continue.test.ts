import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upgradePage } from '#contracts';
import { modelImageId, readLedger, writeControl, type ControlRule } from '#drivers/model';
import { Cli } from '../support/cli.js';
import { ModelFleet, NEW_IMAGE } from '../support/model-fleet.js';

let fleet: ModelFleet;
let cli: Cli;
beforeAll(async () => {
  fleet = await ModelFleet.start();
  cli = Cli.of(fleet.fleet.url, fleet.fleet.token);
});
afterAll(() => fleet.stop());

const BROKEN: ControlRule = {
  ...{ do: 'fail-checks', imageId: modelImageId(NEW_IMAGE), container: 'b' },
};

describe('an upgrade that did only a part', () => {
  it('is continued: what is done is not updated and not touched, what is left is done, and the two know of each other', async () => {
    const { api } = fleet;
    const { name, world } = await fleet.newWorld();
    const release = `${name}-2.0`;
    await writeControl(world, { rules: [BROKEN] });
    const policy = { scope: 'instance', maxFailures: 1 } as const;
    const unheard = await cli.run(['plan', name, name, release]);
    expect(unheard.stdout).toContain('no earlier run to estimate from');
    const { id } = await api.upgrade({ environment: name, application: name, release, policy });
    const first = await api.untilEnded(id);
    expect(first.state, first.message).toBe('partially_succeeded');

    // what ran tells how long the rest may take; how long that is is no part of the digest
    const shown = await cli.run(['plan', name, name, release]);
    expect(shown.stdout).toMatch(/takes about \d+ s, from 1 earlier run(;|\n)/);

    await writeControl(world, { rules: [] });
    const before = (await readLedger(world)).length;
    const run = await cli.run(['upgrade', '--continue', id, '--yes']);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toContain('a@host  2.0 (not updated)');
    expect(run.stdout).toContain('b@host  1.0 --> 2.0');
    const touched = (await readLedger(world)).slice(before).map(({ container }) => container);
    expect(touched).toContain('b');
    expect(touched).not.toContain('a');

    const { items } = upgradePage.parse(
      (await api.insist('GET', `/v1/upgrades?environment=${name}`)).body,
    );
    expect(items[0]).toMatchObject({ state: 'succeeded', continues: id, policy });
    const [created] = await api.history(items[0]?.id ?? '');
    expect(created?.data).toMatchObject({ continues: id });

    const again = await cli.run([
      'upgrade',
      '--continue',
      items[0]?.id ?? '',
      '--yes',
      '--key',
      'k',
    ]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('it succeeded, and nothing is left of it');
  });

  it('because the rest was left out by name succeeds, says so, and leaves the rest to the next one', async () => {
    const { name, world } = await fleet.newWorld();
    const upgrade = ['upgrade', name, name, `${name}-2.0`, '--yes'];
    const nothing = await cli.run([...upgrade, '--exclude', 'd@host']);
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toContain('has no instance d@host');
    const run = await cli.run([...upgrade, '--exclude', 'b@host']);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toContain('a@host  1.0 --> 2.0');
    expect(run.stdout).toContain('b@host  1.0 (left out)');
    const { items } = upgradePage.parse(
      (await fleet.api.insist('GET', `/v1/upgrades?environment=${name}`)).body,
    );
    expect(items[0]).toMatchObject({
      ...{ state: 'succeeded', message: 'left out: b@host', exclude: [{ instance: 'b@host' }] },
    });
    expect((await readLedger(world)).map(({ container }) => container)).not.toContain('b');
    const rest = await cli.run(upgrade);
    expect(rest.code, rest.stderr).toBe(0);
    expect(rest.stdout).toContain('a@host  2.0 (not updated)');
    expect(rest.stdout).toContain('b@host  1.0 --> 2.0');
  });
});
