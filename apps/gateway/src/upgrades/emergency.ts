import { LiftlockError } from '#kernel';
import { emergencyProblem, type Role, type StoredDocument, type UpgradeRequest } from '#contracts';

/** @throws LiftlockError `forbidden` where a role that may ask for emergencies only asks for something else. */
export function assertMayAsk({ emergency }: UpgradeRequest, role: Role): void {
  if (role !== 'operator' || emergency !== undefined) return;
  throw new LiftlockError(
    'forbidden',
    "the token's role is operator: this needs requester; an operator asks for upgrades as an emergency only, where the policy lets it",
    { details: { role, needed: ['requester'] } },
  );
}

/**
 * Whether this token may take the environment's emergency path with this release. The planner looks at the documents again, since they may
 * change meanwhile; roles are known here only.
 * @throws LiftlockError `forbidden` naming the role; `unplannable` where there is no such path, or the release is none of security.
 */
export function assertEmergency(
  { emergency }: UpgradeRequest,
  role: Role,
  documents: ReadonlyArray<StoredDocument['document']>,
): void {
  if (emergency === undefined) return;
  const environment = documents.find((one) => one.kind === 'Environment');
  const release = documents.find((one) => one.kind === 'Release');
  if (environment === undefined || release === undefined)
    throw new LiftlockError('internal', 'the documents of an emergency are not there');
  const path = environment.spec.policy.emergency;
  const { name } = environment.metadata;
  if (path !== undefined && role !== 'admin' && role !== path.role)
    throw new LiftlockError(
      'forbidden',
      `the token's role is ${role}: the emergency path of ${name} needs ${path.role} (its spec.policy.emergency)`,
      { details: { role, needed: [path.role] } },
    );
  const message = emergencyProblem(
    { name, path },
    { name: release.metadata.name, security: release.spec.security },
  );
  if (message === undefined) return;
  throw new LiftlockError('unplannable', message, {
    issues: [{ pointer: '/emergency', message }],
  });
}
