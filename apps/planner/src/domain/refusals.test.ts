import { describe, expect, it } from 'vitest';
import { computePlan, type PlanningInput } from './compute-plan.js';
import * as given from '../../test/support/planning-fixture.js';

function refusalOf(input: PlanningInput) {
  const planned = computePlan(input);
  if ('ok' in planned) throw new Error('it was planned');
  return planned.refused;
}

const messagesOf = (input: PlanningInput): string[] =>
  (refusalOf(input).issues ?? []).map(({ message }) => message);
const images = ['web:2.0', 'db:2.0'].map(given.present);
const onlyWeb = (more: Parameters<typeof given.web>[0] = {}) =>
  given.web({ dependsOn: [], targets: ['host-a'], ...more });

/** One host with these containers, and an application of these components. */
function onHostA(
  components: Parameters<typeof given.application>[0],
  containers: Parameters<typeof given.observed>[1],
): PlanningInput {
  const names = components?.map(({ name }) => name) ?? [];
  const wanted = Object.fromEntries(names.map((name) => [name, { image: `${name}:2.0` }]));
  const release = given.stored(given.release('2.0', { components: wanted }));
  return given.input({
    application: given.stored(given.application(components)),
    release,
    releases: [release],
    observations: [
      given.observed(
        'host-a',
        containers,
        names.map((name) => given.present(`${name}:2.0`)),
      ),
    ],
  });
}

describe('a plan is refused', () => {
  it('for every missing document at once', () => {
    const refused = refusalOf(
      given.input({ environment: undefined, application: undefined, release: undefined }),
    );
    expect(refused.code).toBe('not_found');
    expect(refused.issues?.map(({ pointer }) => pointer)).toEqual([
      '/environment',
      '/application',
      '/release',
    ]);
  });

  it('for a release of another application', () => {
    const release = given.stored(given.release('2.0', { application: 'other' }));
    expect(messagesOf(given.input({ release })).join()).toContain(
      'release shop-2.0 is of application other',
    );
  });

  it('for a circle, an unknown target, a component without image and one too many, all together', () => {
    const components = [
      given.web({ dependsOn: ['db'], targets: ['host-z'] }),
      given.db({ dependsOn: ['web'] }),
      given.db({ name: 'cache', container: 'cache' }),
    ];
    const release = given.release('2.0', {
      components: { web: { image: 'web:2.0' }, db: { image: 'db:2.0' }, wbe: { image: 'web:2.0' } },
    });
    const refused = refusalOf(
      given.input({
        application: given.stored(given.application(components)),
        release: given.stored(release),
      }),
    );
    const text = refused.message;
    expect(text).toContain('web → db → web');
    expect(text).toContain('host-z');
    expect(text).toContain('no image for component cache');
    expect(text).toContain('names component wbe');
    expect(refused.issues?.map(({ pointer }) => pointer)).toContain(
      '/applications/shop/spec/components/0/targets/0',
    );
  });

  it('for containers that are not there, belong to another tool, or whose kept name is taken', () => {
    const base = given.input();
    const observations = [
      given.observed(
        'host-a',
        [given.container('web', 'web:1.0', { owner: 'swarm:shop_web' }), given.absent('shop-db')],
        images,
      ),
      given.observed(
        'host-b',
        [given.container('web', 'web:1.0'), given.container('web-liftlock-old', 'web:0.9')],
        images,
      ),
    ];
    const messages = messagesOf({ ...base, observations }).join('\n');
    expect(messages).toContain('belongs to the Docker Swarm service shop_web');
    expect(messages).toContain('docker service update --image');
    expect(messages).toContain('there is no container shop-db on host-a');
    expect(messages).toContain('a container web-liftlock-old is on host-b already');
  });

  it('for an image that is nowhere, and one that is not what the release says', () => {
    const missing = onHostA([onlyWeb()], [given.container('web', 'web:1.0')]);
    const nowhere = {
      ...missing,
      observations: [
        given.observed(
          'host-a',
          [given.container('web', 'web:1.0')],
          [{ reference: 'web:2.0', present: false }],
        ),
      ],
    };
    expect(refusalOf(nowhere).code).toBe('image_missing');
    const release = given.stored(
      given.release('2.0', {
        components: { web: { image: 'web:2.0', id: given.idOf('another') } },
      }),
    );
    expect(
      messagesOf({ ...missing, documents: { ...missing.documents, release } }).join(),
    ).toContain('and the release says');
  });

  it('for a target that was not observed', () => {
    expect(refusalOf(given.input({ observations: [] })).code).toBe('unobservable');
  });

  it('for data that two instances share, whichever of them declares it', () => {
    const shared = {
      mounts: [{ source: 'pg', destination: '/data', kind: 'volume' as const, writable: true }],
    };
    const worker = given.db({ name: 'worker', container: 'worker' });
    const containers = [
      given.container('web', 'web:1.0', shared),
      given.container('worker', 'worker:1.0', shared),
    ];
    const text = messagesOf(onHostA([onlyWeb(), worker], containers)).join();
    expect(text).toContain('web@host-a and worker@host-a share the volume pg');

    const idle = [
      given.container('web', 'web:1.0', shared),
      given.container('worker', 'worker:2.0', { ...shared, running: false }),
    ];
    expect(computePlan(onHostA([onlyWeb(), worker], idle))).toHaveProperty('ok');
  });

  it('for folders of the host that lie in one another', () => {
    const bind = (source: string) => ({
      mounts: [{ source, destination: '/data', kind: 'bind' as const, writable: true }],
    });
    const worker = given.db({ name: 'worker', container: 'worker' });
    const inside = [
      given.container('web', 'web:1.0', bind('/srv/shop')),
      given.container('worker', 'worker:1.0', bind('/srv/shop/jobs')),
    ];
    expect(messagesOf(onHostA([onlyWeb(), worker], inside)).join()).toContain(
      'share the folder /srv/shop',
    );
    const beside = [
      given.container('web', 'web:1.0', bind('/srv/shop')),
      given.container('worker', 'worker:1.0', bind('/srv/shop-jobs')),
    ];
    expect(computePlan(onHostA([onlyWeb(), worker], beside))).toHaveProperty('ok');
  });

  it('for data that would go with the container', () => {
    const containers = [given.container('web', 'web:1.0', { mounts: [] })];
    expect(messagesOf(onHostA([onlyWeb()], containers)).join()).toContain(
      'data path /data of web@host-a is on no volume',
    );
  });

  it('for one container under two names', () => {
    const twin = given.db({ name: 'twin', container: 'web' });
    expect(
      messagesOf(onHostA([onlyWeb(), twin], [given.container('web', 'web:1.0')])).join(),
    ).toContain('are the same container web');
  });
});
