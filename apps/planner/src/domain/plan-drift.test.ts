import { describe, expect, it } from 'vitest';
import type { Plan } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan, type PlanningInput } from './compute-plan.js';
import { driftOf } from './plan-drift.js';

function planOf(input: PlanningInput): Plan {
  const planned = computePlan(input);
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

const messages = (now: PlanningInput): string[] =>
  driftOf(planOf(given.input()), planOf(now)).map(({ message }) => message);

describe('a plan that no longer holds', () => {
  it('names the document that was changed', () => {
    const release = given.stored(
      given.release('2.0', {
        components: { web: { image: 'web:2.0', env: { A: 'b' } }, db: { image: 'db:2.0' } },
      }),
      2,
    );
    expect(messages(given.input({ release }))).toEqual([
      'Release shop-2.0 was generation 1, and is generation 2',
    ]);
  });

  it('names the instance that is not as it was', () => {
    const input = given.input();
    const [hostA, hostB] = input.observations;
    const stopped = {
      ...hostB,
      containers: hostB?.containers.map((one) => ({ ...one, running: false })),
    };
    const observations = [hostA, stopped] as PlanningInput['observations'];
    expect(messages({ ...input, observations })).toEqual([
      'web@host-b was 1.0 (web:1.0, container id-of-web, running), and is 1.0 (web:1.0, container id-of-web, stopped)',
    ]);
  });

  it('says that the policy is another', () => {
    const environment = given.environment({ policy: { bakeSeconds: 9 } });
    const [first] = driftOf(
      { ...planOf(given.input()), documents: [] },
      { ...planOf(given.input({ environment: given.stored(environment) })), documents: [] },
    );
    expect(first?.message).toContain('the policy is another');
  });
});
