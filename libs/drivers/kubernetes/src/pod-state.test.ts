import { expect, test } from 'vitest';
import type { Pod } from './objects.js';
import { hasEnded } from './pod-state.js';

const DELETED = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const LOST = {
  state: { waiting: { reason: 'ContainerCreating' } },
  lastState: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' } },
};

function pod(status: object, metadata: object = DELETED): Pod {
  return {
    metadata: { name: 'one', uid: '1', resourceVersion: '1', ...metadata },
    spec: { containers: [{ name: 'main', image: 'web:1' }] },
    status: { containerStatuses: [{ name: 'main', ready: false, restartCount: 0, ...status }] },
  };
}

test.each([
  ['whose container is seen to have ended', { state: { terminated: { exitCode: 0 } } }],
  ['whose container went before anybody saw how it ended', LOST],
])('a deleted pod %s has ended', (_what, status) => {
  expect(hasEnded(pod(status))).toBe(true);
});

test.each([
  ['whose container runs', { state: { running: {} } }],
  ['whose container is just made', { state: LOST.state }],
  [
    'whose container waits to be started again',
    { ...LOST, lastState: { terminated: { exitCode: 1, reason: 'Error' } } },
  ],
  ['whose container was lost before, and is made anew', { ...LOST, restartCount: 1 }],
  ['whose container was lost before, and runs again', { ...LOST, state: { running: {} } }],
])('a deleted pod %s has not ended', (_what, status) => {
  expect(hasEnded(pod(status))).toBe(false);
});

test.each([
  ['has ended', { state: { terminated: { exitCode: 0 } } }],
  ['was lost', LOST],
])('a pod that is to go on, and whose container %s, has not ended', (_what, status) => {
  expect(hasEnded(pod(status, {}))).toBe(false);
});
