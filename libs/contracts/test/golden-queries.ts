import { QUERIES, replyEnvelope, type QueryContract, type QueryName } from '#contracts';
import * as sample from './golden-samples.js';
import { BACKUP_SAMPLES, type Exchange } from './golden-backups.js';
import { asText, type Golden } from './golden.js';

const stepLog = {
  request: { upgrade: sample.UPGRADE, stepId: sample.STEP, after: 41 },
  reply: {
    lines: [
      {
        id: 42,
        stepId: sample.STEP,
        token: 3,
        at: sample.AT,
        level: 'info',
        text: 'made guestbook from guestbook:2.0.0',
      },
    ],
  },
} satisfies Exchange<'executor-step-log'>;

const mirrored = {
  target: 'mirror.example:5000/team/shop/guestbook',
  digest: sample.PLAN_DIGEST,
  tag: '2.0.0',
  source: 'quay.io/shop/guestbook:2.0.0',
  environment: 'prod',
  application: 'guestbook',
  upgrade: sample.UPGRADE,
  bytes: 1_048_576,
  mirroredAt: sample.AT,
  lastUsedAt: sample.AT,
};

/** Each query with its answer. One that is missing does not compile. */
const SAMPLES: { readonly [N in QueryName]: Exchange<N> } = {
  'create-upgrade': {
    request: { request: sample.request, actor: 'ann', idempotencyKey: 'ci-4711' },
    reply: { upgrade: sample.view, created: true },
  },
  'get-upgrade': { request: { id: sample.UPGRADE }, reply: sample.view },
  'list-upgrades': {
    request: {
      environment: 'prod',
      application: 'guestbook',
      state: ['running', 'needs_attention'],
      cursor: sample.UPGRADE,
    },
    reply: { items: [sample.view], nextCursor: sample.UPGRADE },
  },
  'list-events': {
    request: { id: sample.UPGRADE, after: 6 },
    reply: {
      items: [
        {
          upgrade: sample.UPGRADE,
          sequence: 7,
          type: 'hop-verified',
          at: sample.AT,
          data: { hop: 'h1', to: '2.0.0' },
        },
      ],
      state: 'running',
    },
  },
  'act-on-upgrade': {
    request: {
      id: sample.UPGRADE,
      action: 'resolve',
      actor: 'ann',
      role: 'operator',
      request: {
        step: sample.STEP,
        reason: 'seen by hand',
        outcome: 'succeeded',
        plan: sample.PLAN_DIGEST,
        comment: 'looked twice',
      },
    },
    reply: sample.view,
  },
  'examine-images': {
    request: {
      mirror: { registry: 'mirror.example:5000', prefix: 'team' },
      images: [
        { reference: 'quay.io/team/app:2.0' },
        { reference: 'app:2.0', archive: '/app.tar' },
      ],
    },
    reply: {
      items: [
        {
          outcome: 'found',
          digest: sample.PLAN_DIGEST,
          name: 'quay.io/team/app',
          target: { repository: 'mirror.example:5000/team/team/app', tag: '2.0' },
        },
        {
          outcome: 'refused',
          error: { code: 'image_missing', message: 'there is no /app.tar', retryable: false },
        },
      ],
    },
  },
  'list-mirrored': {
    request: { environment: 'prod', limit: 20 },
    reply: { items: [mirrored] },
  },
  'mirror-garbage': { request: {}, reply: { items: [mirrored] } },
  'delete-mirrored': {
    request: { target: mirrored.target, digest: sample.PLAN_DIGEST },
    reply: { items: [mirrored] },
  },
  'used-images': {
    request: {
      images: [
        {
          ...{ source: mirrored.source, digest: mirrored.digest },
          place: `${mirrored.target}:${mirrored.tag}`,
        },
      ],
    },
    reply: { used: [true] },
  },
  'held-images': {
    request: { digests: [mirrored.digest] },
    reply: { items: [{ digest: mirrored.digest, upgrade: sample.UPGRADE, why: 'runs' }] },
  },
  'get-plan': {
    request: { digest: sample.PLAN_DIGEST, offset: 262_144 },
    reply: { text: '{"apiVersion":"liftlock.dev/v1"', total: 524_288, nextOffset: 262_175 },
  },
  'estimate-plan': {
    request: { digest: sample.PLAN_DIGEST },
    reply: { seconds: 251.5, runs: 6, steps: 24, unknownSteps: 1 },
  },
  'preview-plan': {
    request: { request: sample.request },
    reply: { digest: sample.PLAN_DIGEST },
  },
  'delete-document': {
    request: { kind: 'Release', name: 'guestbook-2.0.0', actor: 'ann', ifGeneration: 3 },
    reply: { generation: 4 },
  },
  'document-history': {
    request: { kind: 'Release', name: 'guestbook-2.0.0', cursor: 5 },
    reply: {
      items: [
        {
          generation: 4,
          digest: sample.PLAN_DIGEST,
          createdAt: sample.AT,
          createdBy: 'ann',
          deleted: true,
        },
      ],
      nextCursor: 4,
    },
  },
  'upgrade-paths': {
    request: { environment: 'prod', application: 'guestbook' },
    reply: {
      items: [
        {
          component: 'web',
          version: '1.0.0',
          targets: ['docker-1'],
          availableUpgrades: [{ release: 'guestbook-3.0.0', upgradePath: ['2.0.0', '3.0.0'] }],
        },
      ],
    },
  },
  'put-document': {
    request: {
      kind: 'Environment',
      name: 'prod',
      body: sample.environment,
      actor: 'ann',
      ifGeneration: 3,
    },
    reply: { document: sample.stored, changed: true },
  },
  'get-document': {
    request: { kind: 'Environment', name: 'prod', generation: 4 },
    reply: sample.stored,
  },
  'list-documents': {
    request: { kind: 'Environment', cursor: 'prod' },
    reply: { items: [sample.stored], nextCursor: 'prod' },
  },
  observe: {
    request: {
      target: sample.target,
      containers: ['guestbook'],
      images: [{ reference: 'guestbook:2.0.0', archive: '/srv/images/guestbook-2.0.0.tar' }],
    },
    reply: {
      target: 'docker-1',
      engine: { name: 'docker', version: '20.10.24' },
      containers: [
        {
          container: 'guestbook',
          found: true,
          containerId: 'e5'.repeat(32),
          imageId: sample.IMAGE_ID,
          imageReference: 'guestbook:1.0.0',
          repoDigests: [`registry.example.com/guestbook@${sample.IMAGE_ID}`],
          running: true,
          state: 'running',
          health: 'healthy',
          owner: 'swarm:shop_web',
          compose: {
            project: 'shop',
            service: 'web',
            files: ['/srv/shop/compose.yml'],
            because: 'its labels name no compose file',
          },
          mounts: [
            { source: 'guestbook-data', destination: '/data', kind: 'volume', writable: true },
          ],
          ports: [{ port: 8080, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: 80 }],
          problems: ['it shares the network of another container'],
          warnings: ['its network is shared by side'],
        },
      ],
      images: [
        {
          reference: 'guestbook:2.0.0',
          present: true,
          id: sample.IMAGE_ID,
          repoDigests: [`registry.example.com/guestbook@${sample.IMAGE_ID}`],
          archiveId: sample.IMAGE_ID,
          problem: 'the archive holds another image',
        },
      ],
    },
  },
  'environment-webhooks': {
    request: { environment: 'prod' },
    reply: {
      webhooks: [
        {
          url: 'https://hooks.example.com/liftlock',
          events: ['upgrade-failed'],
          secret: 'env:LIFTLOCK_SECRET_HOOKS',
        },
      ],
    },
  },
  'environment-freezes': {
    request: { environment: 'prod' },
    reply: {
      freezes: [
        {
          name: 'year-end',
          from: '2026-12-20T00:00[Europe/Berlin]',
          to: '2027-01-07T00:00[Europe/Berlin]',
          reason: 'stocktaking',
        },
      ],
    },
  },
  'mirror-step-log': stepLog,
  'backup-step-log': stepLog,
  'executor-step-log': stepLog,
  'verifier-step-log': stepLog,
  ...BACKUP_SAMPLES,
};

export function goldenQueries(): Golden[] {
  const exchanges = Object.values<QueryContract>(QUERIES).flatMap((contract): Golden[] => {
    const { request, reply } = SAMPLES[contract.name as QueryName];
    const path = `queries/${contract.name}.v${contract.version}`;
    const readRequest = (value: unknown): unknown => contract.data.parse(value);
    const readReply = (value: unknown): unknown => {
      const envelope = replyEnvelope.parse(value);
      return envelope.ok ? { ...envelope, data: contract.reply.parse(envelope.data) } : envelope;
    };
    return [
      { path: `${path}.request.json`, text: asText(readRequest(request)), read: readRequest },
      {
        path: `${path}.reply.json`,
        text: asText(readReply({ ok: true, data: reply })),
        read: readReply,
      },
    ];
  });
  const readRefusal = (value: unknown): unknown => replyEnvelope.parse(value);
  return [
    ...exchanges,
    {
      path: 'queries/refused.v1.reply.json',
      text: asText(readRefusal({ ok: false, error: sample.checkFailed })),
      read: readRefusal,
    },
  ];
}
