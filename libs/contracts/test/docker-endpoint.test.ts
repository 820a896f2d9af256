import { describe, expect, it } from 'vitest';
import { dockerEndpointIssues, environmentDocument, parseDockerEndpoint } from '#contracts';

const KEY = 'env:LIFTLOCK_SECRET_KEY';
const TLS = { ca: KEY, certificate: KEY, key: KEY };
const SSH = { key: KEY, knownHosts: 'env:LIFTLOCK_SECRET_KNOWN' };

describe('where a Docker Engine listens', () => {
  it.each([
    ['unix:///var/run/docker.sock', { kind: 'unix', path: '/var/run/docker.sock' }],
    ['tcp://host.example:2376', { kind: 'tcp', host: 'host.example', port: 2376 }],
    ['tcp://[2001:db8::1]:2376', { kind: 'tcp', host: '2001:db8::1', port: 2376 }],
    [
      'ssh://ann@host',
      { kind: 'ssh', user: 'ann', host: 'host', port: 22, path: '/var/run/docker.sock' },
    ],
    [
      'ssh://ann@10.0.0.7:2222/run/user/1000/docker.sock',
      {
        kind: 'ssh',
        user: 'ann',
        host: '10.0.0.7',
        port: 2222,
        path: '/run/user/1000/docker.sock',
      },
    ],
    [
      'ssh://ann@[::1]:22/',
      { kind: 'ssh', user: 'ann', host: '::1', port: 22, path: '/var/run/docker.sock' },
    ],
  ])('%s', (endpoint, expected) => {
    expect(parseDockerEndpoint(endpoint)).toEqual(expected);
  });

  it.each([
    ...['docker.sock', 'unix://docker.sock', 'http://host:2375', 'tcp://host', 'tcp://host:0'],
    ...['tcp://host:70000', 'tcp://ann@host:2376', 'ssh://host', 'ssh://ann:open@host', ''],
    ...[
      'ssh://-oProxyCommand=x@host',
      'ssh://ann@-host',
      'ssh://ann@host/a b',
      'tcp://host:2376/v1',
    ],
  ])('%j is none', (endpoint) => {
    expect(parseDockerEndpoint(endpoint)).toBeUndefined();
    expect(dockerEndpointIssues(endpoint, undefined)).toHaveLength(1);
  });

  it('a password in an endpoint is refused and not repeated', () => {
    const [issue] = dockerEndpointIssues('ssh://ann:open-sesame@host', undefined);
    expect(issue?.message).toContain('ssh://ann:…@host');
    expect(issue?.message).not.toContain('open-sesame');
  });
});

describe('with what it is reached', () => {
  it.each([
    ['unix:///x.sock', undefined],
    ['tcp://127.0.0.1:2375', undefined],
    ['tcp://localhost:2375', {}],
    ['tcp://host:2376', TLS],
    ['ssh://ann@host', SSH],
    ['ssh://ann@host', { ...SSH, passphrase: KEY }],
  ])('%s with %o is enough', (endpoint, given) => {
    expect(dockerEndpointIssues(endpoint, given)).toEqual([]);
  });

  it.each([
    ['plain TCP', 'tcp://host:2375', undefined, /certificates of both sides.*ssh:\/\//],
    ['TLS that proves one side only', 'tcp://host:2376', { ca: KEY }, /missing: certificate, key/],
    ['half of TLS on loopback', 'tcp://127.0.0.1:2376', { ca: KEY }, /missing: certificate, key/],
    ['SSH without a host key', 'ssh://ann@host', { key: KEY }, /knownHosts/],
    ['certificates for SSH', 'ssh://ann@host', { ...SSH, ca: KEY }, /ca is of no use/],
    ['a key for a Unix socket', 'unix:///x.sock', { key: KEY }, /key is of no use/],
  ])('%s is refused with the way out', (_name, endpoint, given, message) => {
    expect(
      dockerEndpointIssues(endpoint, given)
        .map((issue) => issue.message)
        .join(),
    ).toMatch(message);
  });

  const withKey = (key: string): unknown => ({
    apiVersion: 'liftlock.dev/v1',
    kind: 'Environment',
    metadata: { name: 'one' },
    spec: {
      targets: [
        { name: 'a', driver: 'docker', endpoint: 'ssh://ann@host', credentials: { ...SSH, key } },
      ],
    },
  });

  it.each([
    '-----BEGIN OPENSSH PRIVATE KEY-----',
    'env:PATH',
    'env:LIFTLOCK_SECRET_',
    'file:/etc/shadow',
  ])('%j is no reference', (key) => {
    expect(environmentDocument.safeParse(withKey(KEY)).success).toBe(true);
    expect(environmentDocument.safeParse(withKey(key)).success).toBe(false);
  });

  it('an environment whose target cannot be reached is refused, naming where', () => {
    const document = withKey(KEY) as { spec: { targets: Array<{ endpoint: string }> } };
    for (const target of document.spec.targets) target.endpoint = 'tcp://host:2376';
    const { error } = environmentDocument.safeParse(document);
    expect(error?.issues.map(({ path }) => path.join('.'))).toContain(
      'spec.targets.0.credentials.knownHosts',
    );
  });
});
