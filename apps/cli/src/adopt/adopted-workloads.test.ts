import { describe, expect, it } from 'vitest';
import { document, observation } from '#contracts';
import { adoptedWorkloads } from './adopted-workloads.js';

const DIGEST = `sha256:${'d1'.repeat(32)}`;

function documents(...seen: object[]) {
  const { containers } = observation.parse({
    ...{ target: 'north', engine: { name: 'kubernetes', version: 'v1.30.0' }, images: [] },
    containers: seen.map((one) => ({ found: true, ...one })),
  });
  const target = {
    ...{ name: 'north', driver: 'kubernetes' as const, site: 'main' },
    endpoint: 'kubeconfig://north',
    credentials: { kubeconfig: 'env:LIFTLOCK_SECRET_KUBECONFIG' },
  };
  const adopted = adoptedWorkloads({
    ...{ environment: 'north', stored: undefined, application: 'shop', target },
    workloads: containers,
  });
  for (const one of [adopted.environment, adopted.application, adopted.release])
    expect(document.safeParse(one).error).toBeUndefined();
  return adopted;
}

describe('the documents of a namespace', () => {
  it('have a component for each workload, told apart by kind where names are the same', () => {
    const { application, release } = documents(
      { container: 'shop/Deployment/web', imageReference: 'quay.io/web:1.4' },
      { container: 'shop/StatefulSet/web', imageReference: 'quay.io/db:1.4' },
      {
        container: 'shop/DaemonSet/log.agent/main',
        imageReference: 'quay.io/agent:1.4',
        owner: 'helm:shop/log',
      },
    );
    expect(application.spec.components.map(({ name, workload }) => [name, workload])).toEqual([
      ['web', { namespace: 'shop' }],
      ['web-statefulset', { namespace: 'shop', kind: 'StatefulSet', name: 'web' }],
      [
        'log-agent',
        {
          ...{ namespace: 'shop', kind: 'DaemonSet', name: 'log.agent', container: 'main' },
          owner: 'taken',
        },
      ],
    ]);
    expect(release.spec.version).toBe('1.4');
    expect(release.metadata.name).toBe('shop-1.4');
  });

  it('name the digest that all pods have of a tag, and each version where there are several', () => {
    const { release } = documents(
      {
        ...{ container: 'shop/Deployment/web', imageReference: 'quay.io/web:1.4' },
        repoDigests: [`quay.io/web@${DIGEST}`],
      },
      { container: 'shop/Deployment/db', imageReference: `quay.io/db@${DIGEST}` },
      {
        ...{ container: 'shop/Deployment/two', imageReference: 'quay.io/two:3' },
        repoDigests: [`quay.io/two@${DIGEST}`, `quay.io/two@sha256:${'e2'.repeat(32)}`],
      },
    );
    expect(release.spec).toMatchObject({
      version: 'adopted',
      components: {
        web: { image: 'quay.io/web:1.4', digest: DIGEST, version: '1.4' },
        db: { image: `quay.io/db@${DIGEST}`, version: 'd1d1d1d1d1d1' },
        two: { image: 'quay.io/two:3', version: '3' },
      },
    });
    expect(release.spec.components?.['two']).not.toHaveProperty('digest');
  });
});
