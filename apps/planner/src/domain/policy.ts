import {
  SKIPPABLE,
  policy as policySchema,
  type EnvironmentPolicy,
  type PlannedApprovals,
  type PlannedEmergency,
  type Policy,
  type StartConditions,
} from '#contracts';

const DEFAULTS: Policy = {
  scope: 'upgrade',
  maxFailures: 0,
  rollbackTo: 'origin',
  approval: 'none',
  bakeSeconds: 0,
  bakeCheckEverySeconds: 5,
};

/**
 * The request wins over its environment, but for what it may not do without: once approval is asked for, it is.
 * What a layer leaves out is as before.
 */
export function effectivePolicy(environment: EnvironmentPolicy, request: Partial<Policy>): Policy {
  const layers = [environment, request].map((layer) => given(layer));
  const merged = Object.assign({}, DEFAULTS, ...layers) as Policy;
  const approval = layers.some((layer) => layer.approval === 'required') ? 'required' : 'none';
  return { ...merged, approval };
}

/**
 * What an environment's policy asks for before an upgrade begins.
 * @param advisories of the release, where the upgrade was asked for as an emergency.
 */
export function startConditionsOf(
  environment: EnvironmentPolicy,
  { approval }: Policy,
  advisories?: readonly string[],
): { readonly startConditions?: StartConditions } {
  const emergency = advisories === undefined ? undefined : emergencyOf(environment, advisories);
  const asked = emergency === undefined ? environment : without(environment, emergency.skips);
  const { windows, freezes, whenClosed, promotion } = asked;
  const approvals = approvalsOf(environment, approval);
  const conditions = {
    ...(approvals === undefined ? {} : { approvals }),
    ...(windows === undefined ? {} : { windows }),
    ...(freezes === undefined || freezes.length === 0 ? {} : { freezes }),
    ...(whenClosed === undefined ? {} : { whenClosed }),
    ...(promotion === undefined ? {} : { promotion }),
    ...(emergency === undefined ? {} : { emergency }),
  };
  return Object.keys(conditions).length === 0 ? {} : { startConditions: conditions };
}

/** Of what may be skipped, only what there is: so that a record does not name what nobody would have waited for. */
function emergencyOf(
  environment: EnvironmentPolicy,
  advisories: readonly string[],
): PlannedEmergency {
  const { emergency, windows = [], freezes = [], promotion } = environment;
  const there = {
    windows: windows.length > 0,
    freezes: freezes.length > 0,
    promotion: promotion !== undefined,
  };
  const may = emergency?.skips ?? [];
  return {
    advisories: [...advisories],
    skips: SKIPPABLE.filter((one) => may.includes(one) && there[one]),
  };
}

function without(
  environment: EnvironmentPolicy,
  skips: PlannedEmergency['skips'],
): EnvironmentPolicy {
  const left = { ...environment };
  for (const one of skips) delete left[one];
  // there is nothing left that could close
  if (left.windows === undefined && (left.freezes ?? []).length === 0) delete left.whenClosed;
  return left;
}

function approvalsOf(
  { approvals, notByRequester }: EnvironmentPolicy,
  approval: Policy['approval'],
): PlannedApprovals | undefined {
  const asked = approval === 'required' && notByRequester !== undefined;
  const needed = approvals ?? (asked ? [{ role: 'approver' as const, count: 1 }] : undefined);
  return needed === undefined ? undefined : { needed, notByRequester: notByRequester ?? true };
}

/** What is said, of what a plan's policy has. */
function given(layer: EnvironmentPolicy | Partial<Policy>): Partial<Policy> {
  const known = Object.keys(policySchema.shape);
  return Object.fromEntries(
    Object.entries(layer).filter(([key, value]) => known.includes(key) && value !== undefined),
  );
}
