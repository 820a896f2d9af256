import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  createModelWorld,
  modelDriver,
  modelImageId,
  readLedger,
  readWorld,
  type Effect,
} from '#drivers/model';
import { waitFor } from '#kernel';
import { RUN_SOURCE } from '../../../../test/support/run-source.js';
import { attempt } from './attempt.js';

const OLD = 'shop:1.0';
const NEW = 'shop:2.0';
const KILLS = 12;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'liftlock-model-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What the last line says that the container under the name does. */
const RUNS_AFTER: Partial<Record<Effect, 'old' | 'new' | 'nothing'>> = {
  stopped: 'nothing',
  'kept-old': 'nothing',
  'started-new': 'new',
  'stopped-new': 'nothing',
  'put-back-old': 'nothing',
  'started-old': 'old',
  'removed-new': 'old',
};

it('a process killed at any moment leaves every effect with its line, and no line without its effect', async () => {
  // a container without data: nothing is to be restored between two rounds
  const world = await createModelWorld(folder, [{ container: 'shop', image: OLD }], [NEW]);
  const oldId = world.containers['shop']?.containerId ?? '';
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = (await readLedger(folder)).length;
    const child = spawn(
      process.execPath,
      [
        ...RUN_SOURCE,
        fileURLToPath(import.meta.resolve('./upgrading-child.ts')),
        ...[folder, 'shop', oldId, NEW, modelImageId(NEW), String(kill * 10_000)],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const exited = once(child, 'exit');
    try {
      // another count each time, so that kills hit other places
      await waitFor(async () => (await readLedger(folder)).length > before + kill, {
        what: 'effects of the child',
        deadlineMs: 60_000,
        everyMs: 1,
      });
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
    const { ledger, containers } = await readWorld(folder);
    expect(ledger.map((line) => line.seq)).toEqual(ledger.map((_, index) => index + 1));
    expect(ledger.filter((line) => 'violation' in line)).toEqual([]);
    const last = ledger.at(-1);
    const running = Object.values(containers).filter((one) => one.running);
    const seen = running.map((one) => (one.containerId === oldId ? 'old' : 'new'))[0] ?? 'nothing';
    expect(running.length).toBeLessThanOrEqual(1);
    expect(last !== undefined && 'effect' in last ? RUNS_AFTER[last.effect] : 'none').toBe(seen);
    await finish(last?.upgrade ?? '', oldId);
  }
  const lines = (await readFile(join(folder, 'ledger.jsonl'), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(await readLedger(folder));
});

/** Takes up what the killed one left, as a later attempt would: each step finds how far it came. */
async function finish(upgrade: string, oldId: string): Promise<void> {
  const { instances } = await modelDriver();
  const round = Number(upgrade.slice(4));
  const input = { container: 'shop', containerId: oldId, keptName: `shop-kept-${round}` };
  const at = (stepId: string) => attempt(folder, stepId, { upgrade, token: 2 });
  await instances.stopNew(at('stop-new'), input);
  await instances.restoreOld(at('restore-old'), { ...input, start: true });
  await instances.removeNew(at('remove-new'), input);
  const { containers, ledger } = await readWorld(folder);
  expect(Object.entries(containers).map(([name, one]) => [name, one.running])).toEqual([
    ['shop', true],
  ]);
  const made = ledger
    .filter((line) => line.upgrade === upgrade)
    .map((line) => ('effect' in line ? line.effect : line.violation));
  expect(new Set(made).size).toBe(made.length);
}
