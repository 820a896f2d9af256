import { emergencyProblem, type StartConditions, type UpgradeRequest } from '#contracts';
import type { UpgradeExtent } from './instances.js';
import type { Problems } from './problems.js';

/** Only a security release goes by the emergency path, and only where there is one. Who may is the gateway's to say. */
export function refuseNoEmergency(
  { emergency }: UpgradeRequest,
  { environment, release }: Pick<UpgradeExtent, 'environment' | 'release'>,
  problems: Problems,
): void {
  if (emergency === undefined) return;
  const [{ metadata, spec }, { metadata: named, spec: mended }] = [
    environment.document,
    release.document,
  ];
  const problem = emergencyProblem(
    { name: metadata.name, path: spec.policy.emergency },
    { name: named.name, security: mended.security },
  );
  if (problem !== undefined) problems.add('unplannable', '/emergency', problem);
}

/** What those who look at the plan, and those who approve it, should know of it. */
export function emergencyWarnings(conditions: StartConditions | undefined): string[] {
  const emergency = conditions?.emergency;
  if (emergency === undefined) return [];
  const { advisories, skips } = emergency;
  const waits = skips.length === 0 ? 'there is nothing to skip' : `it skips ${skips.join(', ')}`;
  return [`emergency, for ${advisories.join(', ')}: ${waits}`];
}
