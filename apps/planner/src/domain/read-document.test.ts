import { describe, expect, it } from 'vitest';
import { LiftlockError } from '#kernel';
import type { DocumentKind } from '#contracts';
import { application, db, environment, release, web } from '../../test/support/planning-fixture.js';
import { readDocument } from './read-document.js';

function issuesOf(kind: DocumentKind, name: string, body: unknown): Record<string, string> {
  try {
    readDocument(kind, name, body);
  } catch (error) {
    if (!(error instanceof LiftlockError)) throw error;
    expect(error.code).toBe('invalid_document');
    return Object.fromEntries(
      (error.issues ?? []).map(({ pointer, message }) => [pointer, message]),
    );
  }
  throw new Error('it was taken');
}

describe('readDocument', () => {
  it('takes what is valid, defaults filled in', () => {
    expect(readDocument('Environment', 'prod', environment())).toEqual(environment());
    expect(readDocument('Release', 'shop-2.0', release('2.0'))).toEqual(release('2.0'));
  });

  it('names every unknown field and every wrong type at once', () => {
    const body = {
      ...application(),
      spec: { components: [{ ...web(), colour: 'red', targets: 'host-a' }], maxParallel: 0 },
    };
    expect(Object.keys(issuesOf('Application', 'shop', body)).toSorted()).toEqual([
      '/spec/components/0/colour',
      '/spec/components/0/targets',
      '/spec/maxParallel',
    ]);
  });

  it('refuses another kind or another name than it is put as', () => {
    expect(issuesOf('Release', 'prod', environment())).toHaveProperty('/kind');
    expect(issuesOf('Environment', 'test', environment())).toHaveProperty('/metadata/name');
  });

  it('finds names that stand twice, dependencies on nothing, circles and events that there are not', () => {
    const components = [
      web({ targets: ['a', 'a'], dependsOn: ['db'] }),
      db({ dependsOn: ['web', 'cache'] }),
      db({ dependsOn: ['web'] }),
    ];
    const found = issuesOf('Application', 'shop', application(components));
    expect(Object.keys(found).toSorted()).toEqual([
      '/spec/components',
      '/spec/components/0/targets/1',
      '/spec/components/1/dependsOn/1',
      '/spec/components/2',
    ]);
    const webhooks = [
      { url: 'http://127.0.0.1/', events: ['upgrade-eaten'], secret: 'env:LIFTLOCK_SECRET_A' },
    ];
    expect(issuesOf('Environment', 'prod', environment({ webhooks }))).toHaveProperty(
      '/spec/webhooks/0/events/0',
    );
  });

  it('refuses a body that is no object at all, and one that no message could carry', () => {
    for (const body of [null, 7, 'x', [], undefined])
      expect(() => readDocument('Release', 'a', body)).toThrow(LiftlockError);
    const labels = { long: 'x'.repeat(300_000) };
    const body = { ...environment(), metadata: { name: 'prod', labels } };
    expect(() => readDocument('Environment', 'prod', body)).toThrow(/KiB/);
  });
});
