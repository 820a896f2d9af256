import {
  applicationDocument,
  environmentDocument,
  observation,
  releaseDocument,
  upgradeRequest,
  type LiftlockDocument,
  type Observation,
} from '#contracts';
import { digestOf } from '#kernel';
import type { z } from 'zod';
import type { PlanningInput } from '../../src/domain/compute-plan.js';
import type { Stored } from '../../src/domain/planning-documents.js';

/** For tests: a shop of web (with data) on two hosts and a database before it, at 1.0, and what was observed of it. */
export const idOf = (image: string): string => digestOf(image);

export function stored<D extends LiftlockDocument>(document: D, generation = 1): Stored<D> {
  return { document, generation, digest: digestOf(document) };
}

const head = { apiVersion: 'liftlock.dev/v1' } as const;

export const environment = (spec: Partial<z.input<typeof environmentDocument>['spec']> = {}) =>
  environmentDocument.parse({
    ...head,
    kind: 'Environment',
    metadata: { name: 'prod' },
    spec: {
      targets: [
        { name: 'host-a', driver: 'docker', endpoint: 'unix:///a.sock' },
        { name: 'host-b', driver: 'docker', endpoint: 'unix:///b.sock', maxUpgrades: 2 },
      ],
      ...spec,
    },
  });

type ComponentInput = z.input<typeof applicationDocument>['spec']['components'][number];

export const web = (more: Partial<ComponentInput> = {}): ComponentInput => ({
  name: 'web',
  targets: ['host-a', 'host-b'],
  dependsOn: ['db'],
  data: { paths: ['/data'] },
  checks: [{ type: 'http', url: 'http://127.0.0.1:8080/' }],
  ...more,
});

export const db = (more: Partial<ComponentInput> = {}): ComponentInput => ({
  name: 'db',
  targets: ['host-a'],
  container: 'shop-db',
  checks: [{ type: 'health' }],
  ...more,
});

export const application = (components: ComponentInput[] = [web(), db()], maxParallel = 1) =>
  applicationDocument.parse({
    ...head,
    kind: 'Application',
    metadata: { name: 'shop' },
    spec: { components, maxParallel },
  });

type ReleaseInput = z.input<typeof releaseDocument>['spec'];

export const release = (version: string, spec: Partial<ReleaseInput> = {}) =>
  releaseDocument.parse({
    ...head,
    kind: 'Release',
    metadata: { name: `shop-${version}` },
    spec: {
      application: 'shop',
      version,
      components: { web: { image: `web:${version}` }, db: { image: `db:${version}` } },
      ...spec,
    },
  });

type ContainerInput = z.input<typeof observation>['containers'][number];
type ImageInput = z.input<typeof observation>['images'][number];

export function container(
  name: string,
  image: string,
  more: Partial<ContainerInput> = {},
): ContainerInput {
  return {
    container: name,
    found: true,
    containerId: `id-of-${name}`,
    imageId: idOf(image),
    imageReference: image,
    running: true,
    mounts: [{ source: `${name}-data`, destination: '/data', kind: 'volume', writable: true }],
    ...more,
  };
}

export const absent = (name: string): ContainerInput => ({ container: name, found: false });
export const present = (reference: string): ImageInput => ({
  reference,
  present: true,
  id: idOf(reference),
});

export function observed(
  target: string,
  containers: ContainerInput[],
  images: ImageInput[],
): Observation {
  return observation.parse({
    target,
    engine: { name: 'docker', version: '28' },
    containers,
    images,
  });
}

const images = ['web:2.0', 'db:2.0', 'web:1.0', 'db:1.0'].map(present);

/** The whole input, of which a test replaces what it is about. */
export function input(
  more: Partial<PlanningInput['documents']> & Partial<Omit<PlanningInput, 'documents'>> = {},
): PlanningInput {
  const { request, observations, tags, ...documents } = more;
  return {
    request:
      request ??
      upgradeRequest.parse({ environment: 'prod', application: 'shop', release: 'shop-2.0' }),
    documents: {
      environment: stored(environment()),
      application: stored(application(), 3),
      release: stored(release('2.0')),
      releases: [stored(release('1.0')), stored(release('2.0'))],
      chains: [],
      ...documents,
    },
    ...(tags === undefined ? {} : { tags }),
    observations: observations ?? [
      observed(
        'host-a',
        [
          container('web', 'web:1.0'),
          absent('web-liftlock-old'),
          container('shop-db', 'db:1.0'),
          absent('shop-db-liftlock-old'),
        ],
        images,
      ),
      observed('host-b', [container('web', 'web:1.0'), absent('web-liftlock-old')], images),
    ],
  };
}
