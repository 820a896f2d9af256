import { afterEach, beforeEach, expect } from 'vitest';
import {
  Copier,
  Registries,
  RegistrySource,
  type CopyJob,
  type CopyResult,
  type RegistriesOptions,
} from '#oci';
import type { TestImage } from './images.js';
import { OddRegistry, type Call, type Order } from './odd-registry.js';

/** Two registries that misbehave on order, fresh for each test. */
export let source: OddRegistry;
export let target: OddRegistry;
export let registries: Registries;

export function useOddRegistries(): void {
  beforeEach(async () => {
    [source, target] = await Promise.all([OddRegistry.start(), OddRegistry.start()]);
    registries = connect();
  });

  afterEach(async () => {
    registries.close();
    await Promise.all([source.stop(), target.stop()]);
  });
}

export function connect(more: RegistriesOptions = {}): Registries {
  return new Registries({
    ...more,
    settings: {
      [source.host]: { insecure: true },
      [target.host]: { insecure: true },
      ...more.settings,
    },
  });
}

export function copy(
  one: TestImage,
  more: Partial<CopyJob> = {},
  through: Registries = registries,
): Promise<CopyResult> {
  source.hold('app', one, 'v1');
  return new Copier().copy({
    source: new RegistrySource(through.repository({ registry: source.host, repository: 'app' })),
    reference: 'v1',
    target: through.repository({ registry: target.host, repository: 'mirror/app' }, 'push'),
    tags: ['v1'],
    ...more,
  });
}

/** Each blob and manifest lies at the target, byte for byte, under its tag. */
export function expectWhole(one: TestImage): void {
  for (const { descriptor, bytes } of one.blobs)
    expect(target.blobs.get(`mirror/app@${descriptor.digest}`)?.equals(bytes)).toBe(true);
  for (const { digest, bytes } of [...one.manifests, one.manifest])
    expect(target.manifests.get(`mirror/app@${digest}`)?.bytes.equals(bytes)).toBe(true);
  expect(target.manifests.get('mirror/app@v1')?.bytes.equals(one.manifest.bytes)).toBe(true);
}

/** The order holds for the first requests that match. */
export function first(
  times: number,
  method: string,
  path: RegExp,
  order: Order,
): (call: Call) => Order | undefined {
  let left = times;
  return (call) => {
    if (call.method !== method || !path.test(call.path) || left === 0) return undefined;
    left -= 1;
    return order;
  };
}

export const BLOB = /\/blobs\/sha256/;
export const UPLOAD = /\/blobs\/uploads\//;
