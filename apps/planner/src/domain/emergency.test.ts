import { describe, expect, it } from 'vitest';
import { environmentPolicy, freeze, maintenanceWindow, type EmergencyPath } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan } from './compute-plan.js';
import { effectivePolicy, startConditionsOf } from './policy.js';

const windows = [
  maintenanceWindow.parse({
    ...{ name: 'weekend', rrule: 'FREQ=WEEKLY;BYDAY=SA', start: '22:00', duration: 'PT6H' },
    timeZone: 'UTC',
  }),
];
const freezes = [
  freeze.parse({
    ...{ name: 'sale', from: '2026-11-28T00:00:00Z', to: '2026-11-30T00:00:00Z', reason: 'sale' },
  }),
];
const approvals = [{ role: 'approver' as const, count: 2 }];

function conditions(skips: EmergencyPath['skips'] | undefined, advisories?: readonly string[]) {
  const policy = environmentPolicy.parse({
    ...{ windows, freezes, approvals, whenClosed: 'pause', promotion: { from: 'staging' } },
    emergency: { role: 'operator', skips },
  });
  return startConditionsOf(policy, effectivePolicy(policy, {}), advisories).startConditions ?? {};
}

/** The fixture's documents, as changed. */
function plannedAs(emergencyPath: EmergencyPath | undefined, advisories: readonly string[]) {
  const input = given.input();
  const { environment, release } = input.documents;
  if (environment === undefined || release === undefined) throw new Error('no fixture');
  const { document } = structuredClone(environment);
  document.spec.policy = { windows, ...(emergencyPath && { emergency: emergencyPath }) };
  const { document: mended } = structuredClone(release);
  if (advisories.length > 0) mended.spec.security = { advisories: [...advisories] };
  return computePlan({
    ...input,
    request: { ...input.request, emergency: { reason: 'it is exploited' } },
    documents: {
      ...input.documents,
      environment: { ...environment, document },
      release: { ...release, document: mended },
    },
  });
}

describe('the emergency path', () => {
  it('skips windows and freezes, and never approvals; promotion only where the policy says so', () => {
    const emergency = { advisories: ['CVE-2026-1'], skips: ['windows', 'freezes'] };
    const kept = { approvals: { needed: approvals, notByRequester: true } };
    const promotion = { from: 'staging' };
    expect(conditions(undefined, ['CVE-2026-1'])).toEqual({ ...kept, promotion, emergency });
    expect(conditions(['promotion', 'windows'], ['CVE-2026-1'])).toEqual({
      ...{ ...kept, freezes, whenClosed: 'pause' },
      emergency: { advisories: ['CVE-2026-1'], skips: ['windows', 'promotion'] },
    });
  });

  it('that nobody asked for skips nothing', () => {
    expect(conditions(undefined)).toMatchObject({ windows, freezes, promotion: {} });
    expect(conditions(undefined).emergency).toBeUndefined();
  });

  it('is told in the plan, with what it skips of what there is', () => {
    const planned = plannedAs({ role: 'operator', skips: ['windows', 'freezes'] }, ['CVE-2026-1']);
    if ('refused' in planned) throw planned.refused;
    expect(planned.ok.startConditions).toEqual({
      emergency: { advisories: ['CVE-2026-1'], skips: ['windows'] },
    });
    expect(planned.ok.warnings[0]).toBe('emergency, for CVE-2026-1: it skips windows');
  });

  it.each([
    ['a release that is not one of security', [], true, /is not a security release/],
    ['an environment that has none', ['CVE-2026-1'], false, /has no emergency path/],
  ] as const)('is refused for %s', (_name, advisories, has, message) => {
    const path = has ? { role: 'operator' as const, skips: ['windows' as const] } : undefined;
    const planned = plannedAs(path, advisories);
    expect('refused' in planned && planned.refused.message).toMatch(message);
  });
});
