/** For tests: a sound document of each kind. */
export const SOUND: Readonly<Record<string, object>> = {
  Environment: {
    apiVersion: 'liftlock.dev/v1',
    kind: 'Environment',
    metadata: { name: 'prod' },
    spec: {
      targets: [
        { name: 'host-a', driver: 'docker', endpoint: 'unix:///a.sock', labels: { zone: 'a' } },
        { name: 'host-b', driver: 'docker', endpoint: 'unix:///b.sock' },
      ],
      policy: { scope: 'upgrade', bakeSeconds: 10 },
      webhooks: [{ url: 'https://hooks.example.com/', secret: 'env:LIFTLOCK_SECRET_HOOK' }],
    },
  },
  Application: {
    apiVersion: 'liftlock.dev/v1',
    kind: 'Application',
    metadata: { name: 'shop' },
    spec: {
      maxParallel: 1,
      chains: ['shop'],
      groups: [{ name: 'a', selector: { zone: 'a' } }],
      components: [
        {
          name: 'db',
          targets: ['host-a'],
          container: 'shop-db',
          data: { paths: ['/data'], consistency: 'stopped' },
          checks: [{ type: 'health' }],
          hooks: {
            before: [
              {
                ...{ name: 'drain', type: 'http', url: 'http://lb.example.com/drain' },
                headers: { authorization: 'Bearer ${LIFTLOCK_SECRET_LB}' },
                undo: { type: 'http', url: 'http://lb.example.com/enable' },
              },
            ],
            after: [{ name: 'migrate', type: 'job', command: ['migrate'], undo: 'none' }],
            onRollback: [{ name: 'tell', type: 'command', command: ['tell'] }],
          },
        },
        {
          name: 'web',
          targets: ['host-a', 'host-b'],
          dependsOn: ['db'],
          requires: { db: '>=1.0 <3' },
          checks: [
            { type: 'http', url: 'http://127.0.0.1/' },
            { type: 'tcp', host: '127.0.0.1', port: 80 },
            { type: 'log', patterns: ['ready'] },
            { type: 'command', command: ['true'] },
          ],
        },
      ],
      hooks: {
        before: [
          {
            ...{ name: 'page', type: 'http', url: 'http://ops.example.com/page' },
            undo: { type: 'http', url: 'http://ops.example.com/unpage' },
          },
          {
            ...{ name: 'flush', type: 'command', command: ['dbctl', 'flush'], undo: 'none' },
            instance: { component: 'db' },
          },
        ],
        after: [{ name: 'seal', type: 'http', url: 'http://ops.example.com/', undo: 'none' }],
        onRollback: [{ name: 'tell', type: 'http', url: 'http://ops.example.com/tell' }],
      },
    },
  },
  Release: {
    apiVersion: 'liftlock.dev/v1',
    kind: 'Release',
    metadata: { name: 'shop-2.0' },
    spec: {
      application: 'shop',
      version: '2.0',
      components: {
        web: { image: 'web:2.0', env: { MODE: 'new' } },
        db: { image: 'db:2.0', archive: '/images/db.tar' },
      },
      bundle: { kubernetes: '1.24.8' },
      artifacts: {
        kubernetes: {
          '1.24.8': {
            files: { kubeadm: { url: 'https://example.com/kubeadm', sha256: 'ab'.repeat(32) } },
            chart: { name: 'cilium', version: '1.12.1' },
          },
        },
      },
    },
  },
  UpgradeChain: {
    apiVersion: 'liftlock.dev/v1',
    kind: 'UpgradeChain',
    metadata: { name: 'shop' },
    spec: {
      application: 'shop',
      path: 'shortest',
      requiredStops: ['2.0'],
      supportedVersions: [
        { version: '1.0', availableUpgrades: ['2.0', '3.0'] },
        { version: '2.0', availableUpgrades: ['3.0'] },
        { version: '3.0' },
      ],
    },
  },
  ServiceTemplateChain: {
    apiVersion: 'k0rdent.mirantis.com/v1beta1',
    kind: 'ServiceTemplateChain',
    metadata: { name: 'ingress-nginx-chain', namespace: 'kcm-system' },
    spec: {
      supportedTemplates: [
        { name: 'ingress-nginx-4-11-3', availableUpgrades: [{ name: 'ingress-nginx-4-11-5' }] },
        { name: 'ingress-nginx-4-11-5' },
      ],
    },
  },
};
