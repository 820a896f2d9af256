import {
  applicationDocument,
  environmentDocument,
  observation,
  releaseDocument,
  upgradeChainDocument,
  upgradeRequest,
  type LiftlockDocument,
} from '#contracts';
import { digestOf } from '#kernel';
import type { PlanningInput } from '../../apps/planner/src/domain/compute-plan.js';
import type { Stored } from '../../apps/planner/src/domain/planning-documents.js';

export interface Shape {
  readonly components: number;
  readonly targets: number;
  readonly hops: number;
}

const head = { apiVersion: 'liftlock.dev/v1' } as const;
const stored = <D extends LiftlockDocument>(document: D): Stored<D> => ({
  document,
  generation: 1,
  digest: digestOf(document),
});

/** Documents and observations of a fleet whose every component goes from the first version to the last, and requires another one. */
export function fleetOf({ components, targets, hops }: Shape): PlanningInput {
  const versions = Array.from({ length: hops + 1 }, (_, index) => `${index + 1}.0.0`);
  const target = (index: number): string => `t${index % targets}`;
  const names = Array.from({ length: components }, (_, index) => `c${index}`);
  const environment = environmentDocument.parse({
    ...{ ...head, kind: 'Environment', metadata: { name: 'prod' } },
    spec: {
      targets: Array.from({ length: targets }, (_, index) => ({
        ...{ name: target(index), driver: 'model', endpoint: `/targets/${index}` },
      })),
    },
  });
  const application = applicationDocument.parse({
    ...{ ...head, kind: 'Application', metadata: { name: 'shop' } },
    spec: {
      maxParallel: '10%',
      chains: ['shop'],
      components: names.map((name, index) => ({
        ...{ name, targets: [target(index)], data: { paths: ['/data'] } },
        ...(index % 10 === 0 ? {} : { dependsOn: [`c${index - 1}`] }),
        ...(index === 0 ? {} : { requires: { [`c${index - 1}`]: `>=1 <${hops + 2}` } }),
      })),
    },
  });
  const releases = versions.map((version) =>
    stored(
      releaseDocument.parse({
        ...{ ...head, kind: 'Release', metadata: { name: `shop-${version}` } },
        spec: {
          ...{ application: 'shop', version },
          components: Object.fromEntries(
            names.map((name) => [name, { image: `${name}:${version}` }]),
          ),
        },
      }),
    ),
  );
  const chain = upgradeChainDocument.parse({
    ...{ ...head, kind: 'UpgradeChain', metadata: { name: 'shop' } },
    spec: {
      application: 'shop',
      supportedVersions: versions.map((version, index) => ({
        version,
        availableUpgrades: versions.slice(index + 1, index + 3),
      })),
    },
  });
  const observations = Array.from({ length: targets }, (_, at) => {
    const here = names.filter((_name, index) => index % targets === at);
    return observation.parse({
      target: target(at),
      engine: { name: 'model', version: '1' },
      containers: here.map((name) => ({
        ...{ container: name, found: true, containerId: `id-${name}`, running: true },
        ...{ imageId: digestOf(`${name}:1.0.0`), imageReference: `${name}:1.0.0` },
        mounts: [{ source: `${name}-data`, destination: '/data', kind: 'volume', writable: true }],
      })),
      images: here.flatMap((name) =>
        versions.map((version) => {
          const reference = `${name}:${version}`;
          return { reference, present: true, id: digestOf(reference) };
        }),
      ),
    });
  });
  const [last] = releases.slice(-1);
  return {
    request: upgradeRequest.parse({
      ...{ environment: 'prod', application: 'shop', release: `shop-${versions.at(-1)}` },
    }),
    documents: {
      environment: stored(environment),
      application: stored(application),
      release: last,
      releases,
      chains: [stored(chain)],
    },
    observations,
  };
}
