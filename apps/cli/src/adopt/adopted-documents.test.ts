import { describe, expect, it } from 'vitest';
import { document, environmentDocument, observation, type Observation } from '#contracts';
import { readText } from '../documents/read-documents.js';
import { adoptedDocuments, type Adoption } from './adopted-documents.js';
import { adoptedText } from './adopted-text.js';

const ID = `sha256:${'b2'.repeat(32)}`;
type Observed = Observation['containers'][number];

function seen(more: object = {}): Observed {
  const parsed = observation.parse({
    target: 'local',
    engine: { name: 'docker', version: '20' },
    containers: [
      {
        container: 'shop_web',
        found: true,
        imageId: ID,
        imageReference: 'shop/web:1.4.2',
        ...more,
      },
    ],
    images: [],
  });
  const [container] = parsed.containers;
  if (container === undefined) throw new Error('there is none');
  return container;
}

const adoption = (container: Observed, more: Partial<Adoption> = {}): Adoption => ({
  environment: 'local',
  stored: undefined,
  application: 'shop-web',
  target: {
    name: 'local',
    driver: 'docker',
    site: 'main',
    endpoint: 'unix:///var/run/docker.sock',
  },
  container,
  ...more,
});

describe('the documents of a running container', () => {
  it('have its volumes as data, its health and fixed ports as checks, and its image by ID', () => {
    const container = seen({
      health: 'healthy',
      mounts: [
        { source: 'v1', destination: '/var/lib/shop', kind: 'volume', writable: true },
        { source: 'v2', destination: '/read', kind: 'volume', writable: false },
        { source: '/srv/in', destination: '/in', kind: 'bind', writable: true },
      ],
      ports: [
        { port: 80, protocol: 'tcp', hostPort: 8080 },
        { port: 53, protocol: 'udp', hostPort: 53 },
        { port: 81, protocol: 'tcp', hostIp: '192.0.2.7', hostPort: 8081 },
      ],
    });
    const { application, release, environment, writtenFolders } = adoptedDocuments(
      adoption(container),
    );
    for (const one of [environment, application, release])
      expect(document.safeParse(one).error).toBeUndefined();
    expect(application.spec.components).toEqual([
      {
        name: 'shop-web',
        targets: ['local'],
        container: 'shop_web',
        data: { paths: ['/var/lib/shop'] },
        checks: [
          { type: 'health' },
          { type: 'tcp', host: '127.0.0.1', port: 8080 },
          { type: 'tcp', host: '192.0.2.7', port: 8081 },
        ],
      },
    ]);
    expect(writtenFolders).toEqual(['/in']);
    expect(release.metadata.name).toBe('shop-web-1.4.2');
    expect(release.spec.components).toEqual({ 'shop-web': { image: 'shop/web:1.4.2', id: ID } });
  });

  it.each([
    [{ imageReference: ID }, 'b2b2b2b2b2b2'],
    [{ imageReference: 'registry.example.com:5000/web' }, 'b2b2b2b2b2b2'],
    [{ imageReference: `web@${ID}` }, 'b2b2b2b2b2b2'],
    [{ imageReference: 'registry.example.com:5000/web:V2_rc' }, 'V2_rc'],
  ])('of an image %j have the version %s', (more, version) => {
    const { release } = adoptedDocuments(adoption(seen(more)));
    expect(release.spec.version).toBe(version);
    expect(document.safeParse(release).error).toBeUndefined();
  });

  it('without health check and ports check that it goes on running', () => {
    const [component] = adoptedDocuments(adoption(seen())).application.spec.components;
    expect(component?.checks).toEqual([{ type: 'running', stableSeconds: 5 }]);
  });

  it('leave a stored environment as it is, and add a target with all else of it kept', () => {
    const stored = environmentDocument.parse({
      apiVersion: 'liftlock.dev/v1',
      kind: 'Environment',
      metadata: { name: 'prod', labels: { of: 'ops' } },
      spec: {
        targets: [{ name: 'local', driver: 'docker', endpoint: 'unix:///var/run/docker.sock' }],
        policy: { scope: 'instance' },
      },
    });
    expect(adoptedDocuments(adoption(seen(), { stored })).environment).toBeUndefined();
    const target = {
      name: 'far',
      driver: 'docker',
      site: 'dmz',
      endpoint: 'tcp://far:2376',
    } as const;
    const { environment, application } = adoptedDocuments(
      adoption(seen({ ports: [{ port: 1, protocol: 'tcp', hostPort: 2 }] }), { stored, target }),
    );
    expect(environment?.spec.targets).toHaveLength(2);
    expect(environment?.spec.policy).toMatchObject({ scope: 'instance' });
    expect(environment?.metadata.labels).toEqual({ of: 'ops' });
    expect(application.spec.components[0]?.checks).toEqual([{ type: 'tcp', host: 'far', port: 2 }]);
  });

  it('are read again from the text, and the next release when its marks are taken away', () => {
    const text = adoptedText(
      adoptedDocuments(adoption(seen())),
      'local',
      'docker://local/shop_web',
      ['a warning'],
    );
    expect(text).toContain('# a warning');
    const found = readText('shop.yaml', text);
    expect(found.faults).toEqual([]);
    expect(found.documents.map(({ value }) => value.kind)).toEqual([
      'Environment',
      'Application',
      'Release',
    ]);
    const next = text
      .slice(text.indexOf('# ---'))
      .replaceAll(/^# ?/gm, '')
      .replaceAll('NEXT', '1.5');
    expect(readText('next.yaml', next)).toMatchObject({
      faults: [],
      documents: [
        {
          value: {
            kind: 'Release',
            spec: { version: '1.5', components: { 'shop-web': { image: 'shop/web:1.5' } } },
          },
        },
      ],
    });
  });
});
