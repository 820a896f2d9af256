import { expect, it } from 'vitest';
import type { Cluster } from './cluster.js';
import type { HolderObject, ServiceStatus } from './service-objects.js';
import { stateOf } from './service-state.js';

const place = {
  ...{ namespace: 'tenant', holder: 'ClusterDeployment' as const, object: 'one' },
  ...{ releaseNamespace: 'web', name: 'ingress' },
};
const told = (template: string, state: ServiceStatus['state']): ServiceStatus => ({
  ...{ name: 'ingress', namespace: 'web', template, state },
  ...(state === 'Failed' ? { failureMessage: 'no such value' } : {}),
});

function look(status: NonNullable<HolderObject['status']>): ReturnType<typeof stateOf> {
  const metadata = { name: 'one', namespace: 'tenant', uid: 'u', resourceVersion: '1' };
  const holder = { metadata: { ...metadata, generation: 2 }, spec: {}, status };
  // of a ClusterDeployment nothing else is asked
  return stateOf({} as Cluster, place, holder, 'new', AbortSignal.timeout(60_000));
}
const seen = (...services: readonly ServiceStatus[]) => look({ observedGeneration: 2, services });

it('believes no status that is older than the object', async () => {
  const stale = { observedGeneration: 1, services: [told('new', 'Deployed')] };
  expect(await look(stale)).toMatchObject({ isDeployed: false });
  expect(await seen(told('new', 'Deployed'))).toMatchObject({ isDeployed: true });
});

it('is deployed by the template that is wanted, whatever is said of another one', async () => {
  expect(await seen(told('old', 'Deployed'))).toMatchObject({ isDeployed: false });
  expect((await seen(told('old', 'Failed'))).failure).toBeUndefined();
  expect(await seen()).toMatchObject({ isDeployed: false });
});

it('has failed where all that hold it say so, and not where one of them has it deployed', async () => {
  expect((await seen(told('new', 'Failed'))).failure).toContain('no such value');
  const both = await seen(told('new', 'Failed'), told('new', 'Deployed'));
  expect(both).toMatchObject({ isDeployed: true });
  expect(both.failure).toBeUndefined();
});

it('has failed where k0rdent goes by nothing of the object', async () => {
  const type = 'ServicesReferencesValidation';
  const conditions = [{ type, status: 'False', message: 'no template new' }];
  const state = await look({ observedGeneration: 2, conditions, services: [] });
  expect(state.failure).toBe('no template new');
});
