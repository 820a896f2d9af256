import { assertNever } from '#kernel';
import { check, type Check, type DriverName } from '#contracts';
import type { ComponentSpec, ReleaseComponent } from './planning-documents.js';

/** What is looked at where the documents say nothing: that it runs, and still does a second later. */
const RUNNING: Check = check.parse({ type: 'running' });
/** Of a workload always, and first: another check might be answered by an old pod. */
const ROLLED_OUT: Check = check.parse({ type: 'health', deadlineSeconds: 300 });

/** A version's own checks, else the component's. */
export function declaredChecks(
  component: ComponentSpec,
  version: ReleaseComponent | undefined,
): readonly Check[] {
  return version?.checks ?? component.checks;
}

export function checksOf(
  component: ComponentSpec,
  version: ReleaseComponent | undefined,
  driver: DriverName,
): readonly Check[] {
  const declared = declaredChecks(component, version);
  if (driver === 'kubernetes')
    return declared.some(({ type }) => type === 'health') ? declared : [ROLLED_OUT, ...declared];
  return declared.length > 0 ? declared : [RUNNING];
}

/** Seconds that a check may take while baking: what was verified once answers soon, or is broken. */
const BAKE_DEADLINE_SECONDS = 10;

export function whileBaking(check: Check): Check {
  return {
    ...check,
    deadlineSeconds: Math.min(check.deadlineSeconds, BAKE_DEADLINE_SECONDS),
    stableSeconds: 0,
  };
}

export function describeCheck(check: Check, driver: DriverName): string {
  switch (check.type) {
    case 'http':
      return `${check.url} answers ${check.status}${check.body === undefined ? '' : ` with ${check.body}`}`;
    case 'tcp':
      return `${check.host}:${check.port} takes connections`;
    case 'log':
      return `the log has ${check.patterns.join(' and ')}`;
    case 'health':
      return driver === 'kubernetes' ? 'its rollout is complete' : 'the container is healthy';
    case 'command':
      return check.stdout === undefined
        ? `${check.command.join(' ')} exits with ${check.exitCode}`
        : `${check.command.join(' ')} prints ${check.stdout}`;
    case 'running':
      return 'it runs';
    default:
      return assertNever(check, 'check');
  }
}
