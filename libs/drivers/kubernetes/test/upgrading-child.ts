import { SecretStore } from '#drivers/core';
import { kubernetesDriver } from '#drivers/kubernetes';
import { contextOf } from '../../../../test/support/step-context.js';

/** What the parent has this process do, one action after the other; each is told when it is done. */
export interface ChildWork {
  readonly endpoint: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly upgrade: string;
  readonly token: number;
  readonly planned: {
    readonly container: string;
    readonly containerId: string;
    readonly keptName: string;
  };
  readonly image: { readonly reference: string; readonly digest: string };
  readonly actions: ReadonlyArray<'stop' | 'replace' | 'stopNew' | 'restoreOld' | 'removeNew'>;
}

const { endpoint, variables, upgrade, token, planned, image, actions } = JSON.parse(
  process.argv[2] ?? '',
) as ChildWork;
const driver = await kubernetesDriver(new SecretStore({ variables }));
const credentials = { ca: 'env:LIFTLOCK_SECRET_CA', token: 'env:LIFTLOCK_SECRET_TOKEN' };
const target = { name: 'one', driver: 'kubernetes' as const, site: 'main', endpoint, credentials };
const context = contextOf(endpoint, { upgrade, token, target });
const input = { ...planned, image, env: {}, start: true };
for (const action of actions) {
  const { found } = await driver.instances[action](context, input);
  process.send?.({ action, found });
}
await driver.close();
process.disconnect?.();
