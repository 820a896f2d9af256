import { describe, expect, it } from 'vitest';
import * as given from '../../test/support/planning-fixture.js';
import { instancesWithData } from './instances-with-data.js';

const { environment } = given.input().documents;
const inEnvironment = environment?.document;

function found(asked: {
  component: string;
  target?: string;
}): ReturnType<typeof instancesWithData> {
  if (inEnvironment === undefined) throw new Error('the fixture has no environment');
  const web = given.web({
    data: { paths: ['/data'], consistency: 'paused' },
    stopTimeoutSeconds: 9,
  });
  return instancesWithData(inEnvironment, given.application([web, given.db()]), asked);
}

describe('where a component’s data lies', () => {
  it('is each of its targets, or the one that is named, with what its document says of it', () => {
    expect(found({ component: 'web' }).map(({ instance }) => instance)).toEqual([
      ...['web@host-a', 'web@host-b'],
    ]);
    expect(found({ component: 'web', target: 'host-b' })).toMatchObject([
      {
        ...{ instance: 'web@host-b', consistency: 'paused', stopTimeoutSeconds: 9 },
        ...{ paths: ['/data'], target: { name: 'host-b' } },
      },
    ]);
  });

  it('is of a workload in the folder that its document names', () => {
    const onCluster = given.environment({
      targets: [
        {
          ...{ name: 'one', driver: 'kubernetes', endpoint: 'kubeconfig://one' },
          credentials: { kubeconfig: 'env:LIFTLOCK_SECRET_ONE' },
        },
      ],
    });
    const web = given.web({
      ...{ targets: ['one'], workload: { namespace: 'shop' } },
      data: { folder: '/mnt/share', paths: ['/web'] },
    });
    const asked = { component: 'web' };
    expect(instancesWithData(onCluster, given.application([web]), asked)).toMatchObject([
      {
        ...{ container: 'shop/Deployment/web', keptName: 'shop/ConfigMap/liftlock-deployment-web' },
        ...{ folder: '/mnt/share', paths: ['/web'], consistency: 'stopped' },
      },
    ]);
  });

  it('is refused by name where there is no such component, target, or data', () => {
    expect(() => found({ component: 'cache' })).toThrow(/has no component cache: it has web, db/);
    expect(() => found({ component: 'web', target: 'host-z' })).toThrow(/is not on host-z/);
    expect(() => found({ component: 'db' })).toThrow(/has no data to back up/);
  });
});
