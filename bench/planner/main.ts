import { createHash } from 'node:crypto';
import type { Plan } from '#contracts';
import { writeCanonicalJson } from '#kernel';
import { computePlan } from '../../apps/planner/src/domain/compute-plan.js';
import { report, type Case } from '../support/report.js';
import { fleetOf } from './fleet-of.js';

const LARGE = { components: 10_000, targets: 500, hops: 10 };
const SMALL = { components: 1_000, targets: 50, hops: 10 };
const MOST_MS = 2_000;
const MOST_MIB = 512;
const MOST_RATIO = 12;

/** One plan, with the milliseconds that it took. */
function timed(shape: typeof LARGE): { plan: Plan; took: number } {
  const input = fleetOf(shape);
  const begin = performance.now();
  const planned = computePlan(input);
  const took = performance.now() - begin;
  if ('refused' in planned) throw planned.refused;
  return { plan: planned.ok, took };
}

/** A plan decides who goes when, by which hops; its steps are spelled out by whoever writes it, and all of them here. */
function spelledOut(plan: Plan): { steps: number; mib: number; took: number } {
  const begin = performance.now();
  let characters = 0;
  const hash = createHash('sha256');
  writeCanonicalJson(plan, (piece) => {
    characters += piece.length;
    hash.update(piece);
  });
  hash.digest();
  const took = performance.now() - begin;
  let steps = plan.prepare.length + plan.bakeChecks.length + plan.finalize.length;
  for (const { compensation, waves } of plan.hops) {
    steps += compensation.length;
    for (const { lanes } of waves) for (const lane of lanes) steps += lane.steps.length;
  }
  return { steps, mib: characters / 1024 / 1024, took };
}

// the first plan warms the code up
timed({ ...SMALL, components: 100 });
const { plan: smallPlan, took: small } = timed(SMALL);
const { plan, took: large } = timed(LARGE);
const mib = process.resourceUsage().maxRSS / 1024;
const [writtenSmall, written] = [spelledOut(smallPlan), spelledOut(plan)];
const bench = 'planner';
const cases: Case[] = [
  {
    ...{ bench, case: '10,000 components on 500 targets, 10 hops', value: large, unit: 'ms' },
    ...{ against: 'a fixed bar', ratio: large / MOST_MS, bar: 1, holds: large < MOST_MS },
  },
  {
    ...{ bench, case: 'memory of it', value: mib, unit: 'MiB' },
    ...{ against: 'a fixed bar', ratio: mib / MOST_MIB, bar: 1, holds: mib < MOST_MIB },
  },
  {
    ...{ bench, case: 'ten times as many components', value: large, unit: 'ms' },
    against: `1,000 components on 50 targets: ${Math.round(small)} ms`,
    ...{ ratio: large / small, bar: MOST_RATIO, holds: large / small <= MOST_RATIO },
  },
  {
    ...{ bench, case: 'its digest: every step spelled out', value: written.took, unit: 'ms' },
    against: `nothing: ${written.steps} steps, ${Math.round(written.mib)} MiB of canonical JSON, ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB of memory`,
    ...{ ratio: null, bar: null, holds: true },
  },
  {
    ...{ bench, case: 'ten times as many steps spelled out', value: written.took, unit: 'ms' },
    against: `1,000 components on 50 targets: ${Math.round(writtenSmall.took)} ms`,
    ...{ ratio: written.took / writtenSmall.took, bar: MOST_RATIO },
    holds: written.took <= MOST_RATIO * writtenSmall.took,
  },
];
process.exitCode = report(cases);
