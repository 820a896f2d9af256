import { describe, expect, it } from 'vitest';
import {
  environmentDocument,
  kubernetesEndpointIssues,
  parseKubernetesEndpoint,
  parseRecord,
  parseWorkload,
  recordText,
  workloadText,
} from '#contracts';

const KEY = 'env:LIFTLOCK_SECRET_KEY';

describe('where a cluster is found', () => {
  it.each([
    ['https://10.0.0.7:6443', { kind: 'server', url: 'https://10.0.0.7:6443' }],
    ['https://api.example.com', { kind: 'server', url: 'https://api.example.com' }],
    ['https://[2001:db8::1]:6443/', { kind: 'server', url: 'https://[2001:db8::1]:6443' }],
    [
      'https://rancher.example.com/k8s/clusters/c-1/',
      { kind: 'server', url: 'https://rancher.example.com/k8s/clusters/c-1' },
    ],
    ['kubeconfig://admin@prod', { kind: 'kubeconfig', context: 'admin@prod' }],
    [
      'kubeconfig://arn:aws:eks:eu-1:1:cluster/prod',
      { kind: 'kubeconfig', context: 'arn:aws:eks:eu-1:1:cluster/prod' },
    ],
  ])('%s', (endpoint, expected) => {
    expect(parseKubernetesEndpoint(endpoint)).toEqual(expected);
  });

  it.each([
    ...['', 'api.example.com:6443', 'http://10.0.0.7:8080', 'https://ann:open@host', 'https://'],
    ...['kubeconfig://', 'kubeconfig://a b', 'https://host/?watch=1', 'unix:///k8s.sock'],
  ])('%s is no place of a cluster', (endpoint) => {
    expect(parseKubernetesEndpoint(endpoint)).toBeUndefined();
    expect(kubernetesEndpointIssues(endpoint, undefined)).toMatchObject([{ path: ['endpoint'] }]);
  });

  it('says why plain http is refused, and repeats no password', () => {
    const [plain] = kubernetesEndpointIssues('http://10.0.0.7:8080', undefined);
    expect(plain?.message).toContain('plain http would show the credentials');
    const [open] = kubernetesEndpointIssues('https://ann:open@host', undefined);
    expect(open?.message).toContain('ann:…@host');
  });

  it.each([
    ['https://host', { ca: KEY, token: KEY }],
    ['https://host', { ca: KEY, certificate: KEY, key: KEY }],
    ['kubeconfig://prod', { kubeconfig: KEY }],
  ])('%s with all that it needs', (endpoint, credentials) => {
    expect(kubernetesEndpointIssues(endpoint, credentials)).toEqual([]);
  });

  it.each([
    ['https://host', undefined, ['missing: ca, token']],
    ['https://host', { token: KEY }, ['missing: ca']],
    ['https://host', { certificate: KEY }, ['missing: ca, key']],
    ['https://host', { ca: KEY, token: KEY, key: KEY }, ['key is of no use beside a token']],
    [
      'https://host',
      { token: KEY, kubeconfig: KEY, knownHosts: KEY },
      ['missing: ca', 'kubeconfig is of no use', 'knownHosts is of no use'],
    ],
    ['kubeconfig://prod', undefined, ['missing: kubeconfig']],
    [
      'kubeconfig://prod',
      { kubeconfig: KEY, token: KEY },
      ['token is of no use beside a kubeconfig'],
    ],
  ])('%s with %j: all issues at once', (endpoint, credentials, messages) => {
    const issues = kubernetesEndpointIssues(endpoint, credentials);
    expect(issues.map(({ message }) => message)).toEqual(
      messages.map((message) => expect.stringContaining(message) as string),
    );
  });

  it('is looked at in an environment, and never a secret itself', () => {
    const environment = (credentials: object) => ({
      ...{ apiVersion: 'liftlock.dev/v1', kind: 'Environment', metadata: { name: 'prod' } },
      spec: {
        targets: [{ name: 'c', driver: 'kubernetes', endpoint: 'kubeconfig://prod', credentials }],
      },
    });
    expect(environmentDocument.safeParse(environment({ kubeconfig: KEY })).success).toBe(true);
    const { error } = environmentDocument.safeParse(environment({ kubeconfig: 'apiVersion: v1' }));
    expect(error?.issues[0]?.message).toContain('must be env:LIFTLOCK_SECRET_<NAME>');
  });
});

describe('how steps name a workload', () => {
  it.each([
    { namespace: 'shop', kind: 'Deployment', name: 'web' } as const,
    { namespace: 'shop', kind: 'StatefulSet', name: 'db.main', container: 'postgres' } as const,
  ])('%j there and back', (place) => {
    expect(parseWorkload(workloadText(place))).toEqual(place);
    expect(parseRecord(recordText(place, 1))).toMatchObject({ namespace: 'shop' });
  });

  it('gives each hop a record of its own, and each workload', () => {
    const web = { namespace: 'shop', kind: 'Deployment', name: 'web' } as const;
    const records = [
      ...[1, 2].map((hop) => recordText(web, hop)),
      recordText({ ...web, kind: 'StatefulSet' }, 1),
      recordText({ ...web, namespace: 'test' }, 1),
    ];
    expect(new Set(records).size).toBe(records.length);
    expect(records[0]).toBe('shop/ConfigMap/liftlock-deployment-web');
  });

  it.each(['web', 'shop/web', 'shop/Job/web', 'shop/Deployment/web/a/b'])(
    '%s is no workload',
    (text) => {
      expect(parseWorkload(text)).toBeUndefined();
    },
  );

  it.each(['web-liftlock-old', 'shop/Secret/web'])('%s is no record', (text) => {
    expect(parseRecord(text)).toBeUndefined();
  });
});
