import { expect, test } from 'vitest';
import type { Pod } from './objects.js';
import { troubleOf } from './pod-trouble.js';

const pod = (status: object): Pod =>
  ({
    metadata: { name: 'one', uid: '1', resourceVersion: '1' },
    spec: { containers: [] },
    status,
  }) as Pod;
const waiting = (reason: string, message = '', more: object = {}) =>
  pod({ containerStatuses: [{ name: 'main', state: { waiting: { reason, message } }, ...more }] });

test.each([
  ['a container that is just made', waiting('ContainerCreating')],
  ['an init container that runs', waiting('PodInitializing')],
  ['nothing yet', pod({})],
  [
    'one that ended and is started again',
    pod({ containerStatuses: [{ name: 'main', state: { terminated: { exitCode: 1 } } }] }),
  ],
])('%s is no trouble', (_what, one) => {
  expect(troubleOf(one)).toBeUndefined();
});

test.each([
  ['ErrImagePull', 'manifest for web:9 not found: manifest unknown', 0],
  ['ErrImagePull', 'pull access denied', 0],
  ['ErrImageNeverPull', 'it is not present with pull policy of Never', 0],
  ['InvalidImageName', 'could not parse reference', 0],
  ['ErrImagePull', 'dial tcp 127.0.0.1:5000: connect: connection refused', 13_000],
  ['ImagePullBackOff', 'Back-off pulling image "web:9"', 13_000],
])('%s: %s counts after %d ms', (reason, message, graceMs) => {
  expect(troubleOf(waiting(reason, message))).toMatchObject({
    ...{ kind: 'pull', code: 'image_missing', reason, graceMs, container: 'main' },
  });
});

test('how a container ended that ends again and again', () => {
  const ended = (terminated: object) =>
    troubleOf(waiting('CrashLoopBackOff', 'back-off', { lastState: { terminated } }));
  expect(ended({ exitCode: 3, reason: 'Error' })).toMatchObject({
    ...{ code: 'container_exited', message: 'it ended with exit code 3', graceMs: 0 },
  });
  expect(ended({ exitCode: 137, reason: 'OOMKilled' })).toMatchObject({
    ...{ code: 'out_of_memory', message: 'it ended with exit code 137 (OOMKilled)' },
  });
});

test('an init container is looked at first', () => {
  const status = { name: 'init', state: { waiting: { reason: 'CrashLoopBackOff' } } };
  expect(troubleOf(pod({ initContainerStatuses: [status] }))).toMatchObject({ container: 'init' });
});
