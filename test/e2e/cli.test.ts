import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  cloudEvent,
  historyEvent,
  logPage,
  storedDocument,
  upgradeView,
  type UpgradeView,
} from '#contracts';
import { writeControl } from '#drivers/model';
import { rootFolder } from '#fleet';
import { ModelFleet, type ModelRun } from '../support/model-fleet.js';
import { Cli, CliRun, type CliEnd } from '../support/cli.js';

let fleet: ModelFleet;
let cli: Cli;
let run: ModelRun;
/** Environment, application and release of the run, as the command line takes them. */
let target: readonly [string, string, string];

beforeAll(async () => {
  fleet = await ModelFleet.start();
  cli = Cli.of(fleet.fleet.url, fleet.fleet.token);
});
afterAll(() => fleet.stop());
beforeEach(async () => {
  run = await fleet.newWorld();
  target = [run.name, run.name, `${run.name}-2.0`];
});

const upgrade = (...more: string[]): Promise<CliEnd> =>
  cli.run(['upgrade', ...target, '--yes', ...more]);
const viewOf = ({ stdout }: CliEnd): UpgradeView => upgradeView.parse(JSON.parse(stdout));

async function begin(...more: string[]): Promise<string> {
  const begun = await upgrade('--no-watch', ...more);
  expect(begun.code, begun.stderr).toBe(0);
  return begun.stdout.trim();
}

const failing = (
  action: 'instance.replace' | 'instance.remove-new' | 'data.restore',
  container = 'b',
) =>
  ({
    do: 'fail',
    action,
    container,
    retryable: false,
    message: `${action} is out of order`,
  }) as const;
const holding = { do: 'hold', action: 'instance.stop', container: 'b' } as const;

describe('upgrade', () => {
  it('says what will change, then each step with wave, component and duration, and exits 0', async () => {
    const { code, stdout, stderr } = await upgrade();
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('b@host  1.0 --> 2.0');
    expect(stdout).toMatch(/^✓ wave 2\/3 +b@host +Stop b@host +\d+(\.\d)? m?s$/m);
    expect(stdout.trim().split('\n').at(-1)).toMatch(/^succeeded: .* 1\.0 --> 2\.0 \(/);
    const control = stdout.split('').filter((character) => character < ' ' && character !== '\n');
    expect(control, 'no terminal, no control characters').toEqual([]);
  });

  it('with -o json standard output is the upgrade and nothing else', async () => {
    const end = await upgrade('-o', 'json');
    expect(end.code, end.stderr).toBe(0);
    expect(viewOf(end)).toMatchObject({ state: 'succeeded', environment: run.name });
    expect(end.stderr).toContain('✓ wave 3/3');
  });

  it('exits 3 when it was rolled back, and names the step and its reason', async () => {
    await writeControl(run.world, { rules: [failing('instance.replace')] });
    const { code, stdout } = await upgrade();
    expect(code).toBe(3);
    expect(stdout).toMatch(/✗ wave 2\/3 +b@host +Start b@host/);
    expect(stdout).toContain(
      'target_refused: instance.replace of b: instance.replace is out of order',
    );
    expect(stdout).toMatch(/✓ back +a@host/);
    expect(stdout).toContain('a@host is back on 1.0');
  });

  it('exits 4 when a person is needed and says what they can do; what they do then is watched to its end', async () => {
    await writeControl(run.world, {
      rules: [failing('instance.replace'), failing('data.restore', 'a')],
    });
    const { code, stdout } = await upgrade();
    expect(code).toBe(4);
    const id = /liftlock retry (upg_\w+)/.exec(stdout)?.[1] ?? 'none';
    expect(stdout).toContain(`liftlock skip ${id} --reason WHY`);
    expect((await cli.run(['status', id])).code).toBe(4);
    expect((await cli.run(['watch', id])).code).toBe(4);
    await writeControl(run.world, {});
    const retried = await cli.run(['retry', id, '--watch']);
    expect(retried.code, retried.stdout).toBe(3);
  });

  it('exits 5 when some of it succeeded', async () => {
    await writeControl(run.world, { rules: [failing('instance.replace', 'c')] });
    const { code, stdout } = await upgrade('--scope', 'instance', '--max-failures', '1');
    expect(code, stdout).toBe(5);
  });

  it('there is nobody to ask: nothing is begun', async () => {
    const { code, stdout, stderr } = await cli.run(['upgrade', ...target]);
    expect(code).toBe(2);
    expect(stdout).toContain('1.0 --> 2.0');
    expect(stderr).toContain('--yes');
    expect((await cli.run(['upgrades', '--environment', run.name])).stdout).toBe('none\n');
  });

  it('two calls with one key are one upgrade; another request with that key is refused', async () => {
    const key = `key-${run.name}`;
    expect(await begin('--key', key)).toBe(await begin('--key', key));
    const other = await upgrade('--key', key, '--reason', 'another');
    expect(other.code).toBe(1);
    expect(other.stderr).toContain('--key');
  });

  it('a second one is refused and the first one named', async () => {
    await writeControl(run.world, { rules: [holding] });
    const id = await begin();
    // it has its locks from when it begins
    await fleet.api.until(id, 'running');
    const second = await upgrade();
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(id);
    await writeControl(run.world, {});
    expect((await cli.run(['watch', id])).code).toBe(0);
  });

  it('where all of it runs already there is nothing to do, and that is no failure', async () => {
    const there = [run.name, run.name, `${run.name}-1.0`];
    const { code, stdout, stderr } = await cli.run(['upgrade', ...there, '--yes']);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('nothing to do');
    const planned = await cli.run(['plan', ...there, '-o', 'json']);
    expect(JSON.parse(planned.stdout)).toEqual({ changes: [] });
  });
});

describe('while it runs', () => {
  it('pause, resume and cancel are by hand, and whoever watches sees whose', async () => {
    await writeControl(run.world, { rules: [holding] });
    const id = await begin();
    const watching = cli.start(['watch', id]);
    await watching.untilSaid('wave 1/3');
    expect((await cli.run(['pause', id, '--reason', 'lunch'])).stdout).toBe(`${id} paused\n`);
    expect((await cli.run(['cancel', id, '--timeout', '0'])).code).toBe(2);
    expect((await cli.run(['resume', id])).code).toBe(0);
    const cancelled = await cli.run(['cancel', id, '--reason', 'no time', '--watch', '-o', 'json']);
    // something was changed already: it is taken back
    expect(cancelled.code, cancelled.stderr).toBe(3);
    expect(viewOf(cancelled).state).toBe('rolled_back');
    const seen = await watching.end;
    expect(seen.code).toBe(3);
    expect(seen.stdout).toContain('pause by bootstrap: lunch');
    expect(seen.stdout).toContain('cancel by bootstrap: no time');
  });

  it('the gateway dies and comes back: the watch goes on, and no event is missed or shown twice', async () => {
    await writeControl(run.world, { rules: [holding] });
    const id = await begin();
    const watching = cli.start(['watch', id]);
    const events = cli.start(['events', id, '-o', 'json']);
    await watching.untilSaid('wave 1/3');
    await events.untilSaid('step-started');
    const gateway = fleet.fleet.service('gateway');
    await gateway.kill9();
    await watching.untilSaid('contact is lost');
    await gateway.restart();
    await watching.untilSaid('in contact again');
    await writeControl(run.world, {});
    const { code, stdout } = await watching.end;
    expect(code, stdout).toBe(0);
    const lines = stdout.split('\n').filter((line) => line.startsWith('✓'));
    expect(new Set(lines).size).toBe(lines.length);
    const sequences = linesOf(await events.end, historyEvent).map((one) => one.sequence);
    const history = await fleet.api.history(id);
    expect(sequences).toEqual(history.map((one) => one.sequence));
  });

  it('whoever leaves by Ctrl-C is told how to come back, and it goes on without them', async () => {
    await writeControl(run.world, { rules: [holding] });
    const id = await begin();
    const watching = cli.start(['watch', id]);
    await watching.untilSaid('wave 1/3');
    watching.signal('SIGINT');
    const { code, stderr } = await watching.end;
    expect(code).toBe(130);
    expect(stderr).toContain(`liftlock watch ${id}`);
    const late = await cli.run(['watch', id, '--timeout', '1']);
    expect(late.code).toBe(1);
    expect(late.stderr).toContain('goes on');
    await writeControl(run.world, {});
    expect((await cli.run(['watch', id])).code).toBe(0);
  });

  it('approval: it waits, and is refused or agreed to', async () => {
    const refused = await begin('--approval');
    await fleet.api.until(refused, 'awaiting_approval');
    expect((await cli.run(['status', refused])).code, 'under way is no failure').toBe(0);
    expect((await cli.run(['rollback', refused])).stderr).toContain('cancel it instead');
    expect((await cli.run(['reject', refused, '--reason', 'not now'])).code).toBe(0);
    expect((await cli.run(['watch', refused])).code).toBe(1);
    const cancelled = await begin('--approval');
    await fleet.api.until(cancelled, 'awaiting_approval');
    expect((await cli.run(['cancel', cancelled, '--watch'])).code).toBe(1);
    const agreed = await begin('--approval');
    await fleet.api.until(agreed, 'awaiting_approval');
    expect((await cli.run(['approve', agreed, '--watch'])).code).toBe(0);
  });

  it('a step is skipped, or resolved, for a reason only', async () => {
    await writeControl(run.world, {
      rules: [failing('instance.replace'), failing('instance.remove-new', 'a')],
    });
    const id = await begin();
    await fleet.api.until(id, 'needs_attention');
    expect((await cli.run(['skip', id])).code).toBe(2);
    expect((await cli.run(['resolve', id, '--reason', 'x'])).code).toBe(2);
    expect((await cli.run(['skip', id, '--reason', 'x', '--step', 'no/such'])).code).toBe(1);
    const skipped = await cli.run(['skip', id, '--reason', 'removed by hand', '--watch']);
    expect(skipped.code, skipped.stdout).toBe(3);
    expect(skipped.stdout).toContain('skipped: removed by hand');
  });
});

describe('looking', () => {
  it('lists, documents, logs, events and backups are for programs, too', async () => {
    const id = await begin();
    expect((await cli.run(['watch', id])).code).toBe(0);
    const listed = await cli.run(['upgrades', '--environment', run.name, '-o', 'json']);
    expect(
      z
        .array(upgradeView)
        .parse(JSON.parse(listed.stdout))
        .map((one) => one.id),
    ).toEqual([id]);
    const first = await cli.run(['events', id, '-o', 'json', '--after', '2']);
    expect(linesOf(first, historyEvent)[0]?.sequence).toBe(3);
    const logs = linesOf(await cli.run(['logs', id, '-o', 'json']), logPage.shape.lines.element);
    expect(logs.length).toBeGreaterThan(0);
    const step = logs[0]?.stepId ?? '';
    const ofStep = await cli.run(['logs', id, '--step', step, '--follow', '-o', 'json']);
    expect(linesOf(ofStep, logPage.shape.lines.element).map((line) => line.stepId)).toContain(step);
    const backups = await cli.run(['backups', '--upgrade', id, '-o', 'json']);
    expect(JSON.parse(backups.stdout)).toHaveLength(3);
  });

  it('what get prints can be applied again, and changes nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'liftlock-apply-'));
    try {
      for (const kind of ['environment', 'application']) {
        const { stdout } = await cli.run(['get', kind, run.name]);
        writeFileSync(join(folder, `${kind}.yaml`), stdout);
      }
      const same = await cli.run(['apply', '-f', folder]);
      expect(same.code, same.stderr).toBe(0);
      expect(same.stdout).toBe(
        `environment/${run.name} unchanged (generation 1)\napplication/${run.name} unchanged (generation 1)\n`,
      );
      const text = (await cli.run(['get', 'release', `${run.name}-2.0`])).stdout;
      const changed = text.replace('service:2.0', 'service:2.1');
      const applied = await cli.run(['apply', '-f', '-', '-o', 'json'], changed);
      expect(JSON.parse(applied.stdout)).toMatchObject([{ outcome: 'changed', generation: 2 }]);
      const old = ['get', 'release', `${run.name}-2.0`, '--generation', '1', '-o', 'json'];
      expect(storedDocument.parse(JSON.parse((await cli.run(old)).stdout)).generation).toBe(1);
      const broken = await cli.run(['apply', '-f', folder, '-'], `${text}---\nkind: Nonsense\n`);
      expect(broken.code).toBe(2);
      expect(broken.stdout).toBe('');
      expect(broken.stderr).toMatch(/^-:\d+: \/kind: there is no kind "Nonsense"/m);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('a token is shown once, may what its role may, and is nothing once it is revoked', async () => {
    const name = `looker-of-${run.name}`;
    const { stdout } = await cli.run([
      'token',
      'create',
      name,
      '--role',
      'viewer',
      '--expires',
      '1',
    ]);
    const viewer = Cli.of(fleet.fleet.url, stdout.trim());
    expect((await viewer.run(['upgrades'])).code).toBe(0);
    const refused = await viewer.run(['upgrade', ...target, '--yes']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('liftlock token create');
    expect((await cli.run(['token', 'list'])).stdout).toMatch(new RegExp(`^${name} +viewer`, 'm'));
    expect((await cli.run(['token', 'revoke', name])).code).toBe(0);
    const gone = await viewer.run(['upgrades']);
    expect(gone.code).toBe(2);
    expect(gone.stderr).toContain('--token');
  });

  it('doctor looks at the API and at the token', async () => {
    const findings = z.array(z.object({ what: z.string(), level: z.string() }));
    const good = findings.parse(JSON.parse((await cli.run(['doctor', '-o', 'json'])).stdout));
    expect(good).toContainEqual({ what: 'token', level: 'good' });
    const wrong = await Cli.of(fleet.fleet.url, 'wrong').run(['doctor']);
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toMatch(/^BAD +API/m);
  });
});

it('the example subscriber prints the whole life of an upgrade as CloudEvents, with credentials that may read only', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'liftlock-subscriber-'));
  mkdirSync(join(folder, '.liftlock'));
  const client = JSON.stringify({ subscriber: fleet.fleet.natsLogin('subscriber') });
  writeFileSync(join(folder, '.liftlock', 'client.json'), client);
  const script = join(rootFolder(), 'examples', 'subscriber', 'subscriber.mjs');
  const child = spawn(process.execPath, [script, run.name], { cwd: folder, stdio: 'pipe' });
  try {
    const subscriber = new CliRun(child);
    await subscriber.untilSaid('listening');
    const id = await begin();
    await subscriber.untilSaid('upgrade-succeeded');
    const heard = subscriber.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => cloudEvent.parse(JSON.parse(line)));
    const history = await fleet.api.history(id);
    expect(new Set(heard.map((one) => one.id))).toEqual(
      new Set(history.map((one) => `${id}:${one.sequence}`)),
    );
  } finally {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('bad input is a clear line on standard error, and exit code 2', () => {
  const cases: readonly [string, (place: readonly string[]) => string[], RegExp][] = [
    ['an unknown command', () => ['frobnicate'], /unknown command/],
    ['an unknown option', () => ['upgrades', '--colour'], /unknown option/],
    ['a missing argument', () => ['upgrade', 'prod'], /missing required argument/],
    ['too many arguments', () => ['status', 'a', 'b'], /too many arguments/],
    ['no number', () => ['upgrades', '--limit', '1e3'], /whole number/],
    ['an unknown state', () => ['upgrades', '--state', 'fine'], /Allowed choices/],
    ['an unknown kind', () => ['get', 'secrets'], /there is no kind "secrets"/],
    ['an id that is none', () => ['status', '../../v1/tokens'], /upgrade id/],
    ['an upgrade that is not there', () => ['watch', `upg_${'0'.repeat(26)}`], /no upgrade/],
    [
      'a release that is not there',
      ([a, b]) => ['plan', a ?? '', b ?? '', 'nope'],
      /no release nope/,
    ],
    ['a name that is none', () => ['plan', 'PROD', 'a', 'b'], /\/environment/],
    ['a moment that is none', (all) => ['plan', ...all, '--not-before', 'soon'], /\/notBefore/],
    ['a file that is not there', () => ['apply', '-f', '/nonexistent'], /no file or folder/],
  ];
  it.each(cases)('%s', async (_name, args, message) => {
    const { code, stdout, stderr } = await cli.run(args(target));
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe('');
  });

  it('no fleet there: the address is named, and how to start one', async () => {
    const { code, stderr } = await Cli.of('http://127.0.0.1:9', 'x').run(['upgrades']);
    expect(code).toBe(1);
    expect(stderr).toContain('no fleet answers at http://127.0.0.1:9/');
    expect(stderr).toContain('./liftlock up');
  });
});

function linesOf<S extends z.ZodType>({ stdout }: CliEnd, schema: S): z.infer<S>[] {
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => schema.parse(JSON.parse(line)));
}
