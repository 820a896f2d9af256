import type { HistoryEvent, StoredDocument, UpgradeView } from '#contracts';

export const ID = 'upg_01arz3ndektsv4rrffq69g5fav';

export function anUpgrade(more: Partial<UpgradeView> = {}): UpgradeView {
  return {
    id: ID,
    environment: 'home',
    application: 'web',
    release: 'web-2.0',
    state: 'running',
    version: 3,
    requestedBy: 'the-requester',
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    attention: [],
    progress: { stepsTotal: 5, stepsDone: 2 },
    changes: [],
    warnings: [],
    ...more,
  };
}

export function anEvent(sequence: number, type = 'step-started'): HistoryEvent {
  return { upgrade: ID, sequence, type, at: '2026-01-01T00:00:00.000Z', data: { step: 'a/b' } };
}

export const ENVIRONMENT = {
  apiVersion: 'liftlock.dev/v1',
  kind: 'Environment',
  metadata: { name: 'home', labels: {} },
  spec: {
    targets: [
      {
        name: 'host-a',
        driver: 'docker',
        site: 'main',
        endpoint: 'unix:///var/run/docker.sock',
        maxUpgrades: 4,
      },
    ],
    policy: {},
    webhooks: [],
  },
} as const;

export function aDocument(generation = 1): StoredDocument {
  return {
    kind: 'Environment',
    name: 'home',
    generation,
    digest: `sha256:${'0'.repeat(64)}`,
    createdAt: '2026-01-01T00:00:00.000Z',
    document: structuredClone(ENVIRONMENT) as unknown as StoredDocument['document'],
  };
}
