import type { z } from 'zod';
import type {
  CommandData,
  document,
  errorShape,
  Plan,
  Step,
  StepTarget,
  StoredDocument,
  upgradeView,
} from '#contracts';

/** What the golden messages are made of: fixed, so that the same code makes the same bytes. */
export const UPGRADE = 'upg_01jd3v2k9qxw5r7t8y6h4n2m1b';
export const STEP = 'h1/w1/guestbook@docker-1/replace';
export const PLAN_DIGEST = `sha256:${'a1'.repeat(32)}`;
export const IMAGE_ID = `sha256:${'b2'.repeat(32)}`;
export const DOCUMENT_DIGEST = `sha256:${'c3'.repeat(32)}`;
export const ARCHIVE_SHA256 = `sha256:${'d4'.repeat(32)}`;
export const AT = '2026-11-21T08:00:00.000Z';
export const LATER = '2026-11-21T08:00:02.500Z';

export const attempt = { upgrade: UPGRADE, stepId: STEP, token: 3, attempt: 2 };

export const request = {
  environment: 'prod',
  application: 'guestbook',
  release: 'guestbook-2.0.0',
  policy: { scope: 'upgrade', bakeSeconds: 600 },
  reason: 'the fix of the lost entries',
  notBefore: '2026-11-21T09:00:00+01:00',
} as const;

export const checkFailed: z.input<typeof errorShape> = {
  code: 'check_failed',
  message: 'http://127.0.0.1:8080/version answered 500, not 200, for 60 s',
  retryable: false,
  retryAfterMs: 1_500,
  issues: [{ pointer: '/check/status', message: 'was 500', line: 12 }],
  details: { looks: 240 },
};

export const deadLetter: CommandData<'dead-letter-kept'> = {
  app: 'executor',
  messageId: 'msg_01jd3v2k9qxw5r7t8y6h4n2m1b',
  subject: 'liftlock.command.main.executor.run-step',
  upgrade: UPGRADE,
  error: checkFailed,
  deliveries: 19,
};

export const target: StepTarget = {
  name: 'docker-1',
  driver: 'docker',
  site: 'main',
  endpoint: 'unix:///var/run/docker.sock',
};

export const replaceStep: Step = {
  id: STEP,
  title: 'Start guestbook 2.0.0 on docker-1',
  phase: 'execute',
  action: 'instance.replace',
  app: 'executor',
  target,
  component: 'guestbook',
  input: {
    container: 'guestbook',
    containerId: 'e5'.repeat(32),
    image: { reference: 'guestbook:2.0.0', id: IMAGE_ID },
    keptName: 'guestbook-before-2.0.0',
    env: { GREETING: 'hello', OLD_GREETING: null },
  },
  undo: 'restore',
  timeoutSeconds: 300,
  retry: { maxAttempts: 3, backoffSeconds: 1, maxBackoffSeconds: 10 },
  observable: true,
  repeatable: false,
};

export const writeFilesStep: Step = {
  id: 'h1/w1/guestbook@docker-1/files/write',
  title: 'Write /data/server.cfg of guestbook@docker-1',
  phase: 'execute',
  action: 'file.write',
  app: 'executor',
  target,
  component: 'guestbook',
  input: {
    container: 'guestbook',
    containerId: 'e5'.repeat(32),
    files: [
      {
        path: '/data/server.cfg',
        mode: '0600',
        uid: 0,
        gid: 0,
        content: 'password=${LIFTLOCK_SECRET_ADMIN}\n',
      },
    ],
  },
  undo: 'inverse',
  timeoutSeconds: 300,
  retry: { maxAttempts: 3, backoffSeconds: 1, maxBackoffSeconds: 10 },
  observable: true,
  repeatable: false,
};

export const changes: Plan['changes'] = [
  {
    instance: 'guestbook@docker-1',
    component: 'guestbook',
    target: 'docker-1',
    from: '1.0.0',
    to: '2.0.0',
    updated: true,
  },
];

export const approvals: NonNullable<z.input<typeof upgradeView>['approvals']> = {
  needed: [
    { role: 'approver', count: 2 },
    { role: 'operator', count: 1 },
  ],
  notByRequester: true,
  given: [
    { actor: 'ben', role: 'approver', at: AT, plan: PLAN_DIGEST, comment: 'seen on staging' },
  ],
  missing: [
    { role: 'approver', count: 1 },
    { role: 'operator', count: 1 },
  ],
};

export const waiting = {
  until: '2026-11-28T21:00:00.000Z',
  message: 'outside of its maintenance windows until Sat 2026-11-28 22:00 Europe/Berlin',
};

export const view: z.input<typeof upgradeView> = {
  id: UPGRADE,
  environment: 'prod',
  application: 'guestbook',
  release: 'guestbook-2.0.0',
  state: 'needs_attention',
  version: 17,
  from: '1.0.0',
  to: '2.0.0',
  planDigest: PLAN_DIGEST,
  requestedBy: 'ann',
  reason: request.reason,
  createdAt: AT,
  updatedAt: LATER,
  endedAt: LATER,
  message: 'Start guestbook 2.0.0 on docker-1: the check did not pass in time',
  error: checkFailed,
  attention: [{ step: STEP, error: checkFailed }],
  progress: { stepsTotal: 7, stepsDone: 4 },
  changes,
  warnings: ['guestbook: old containers are removed when the bake ends'],
  approvals,
  waiting,
};

export const environment: z.input<typeof document> = {
  apiVersion: 'liftlock.dev/v1',
  kind: 'Environment',
  metadata: { name: 'prod', labels: { tier: 'gold' } },
  spec: {
    targets: [{ name: 'docker-1', driver: 'docker', endpoint: target.endpoint }],
    policy: { approval: 'required' },
    webhooks: [
      {
        url: 'https://hooks.example.com/liftlock',
        events: ['upgrade-failed'],
        secret: 'env:LIFTLOCK_SECRET_HOOKS',
      },
    ],
  },
};

export const stored: Omit<StoredDocument, 'document'> & { document: z.input<typeof document> } = {
  kind: 'Environment',
  name: 'prod',
  generation: 4,
  digest: DOCUMENT_DIGEST,
  createdAt: AT,
  document: environment,
};

export const damagedBackup = {
  environment: 'prod',
  application: 'guestbook',
  set: UPGRADE,
  backup: 'h1-guestbook@docker-1',
  instance: 'guestbook@docker-1',
  location: '/srv/backups/prod/guestbook/h1-guestbook@docker-1',
  site: 'main',
  problem: 'data.tar.zst has another sha256 than when it was written',
} as const;
