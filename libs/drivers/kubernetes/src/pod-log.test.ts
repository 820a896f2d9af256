import { expect, test } from 'vitest';
import type { Cluster } from './cluster.js';
import type { Pod } from './objects.js';
import { lastLines, logLines } from './pod-log.js';

const pod = { metadata: { namespace: 'one', name: 'web', uid: '1' }, spec: {} } as Pod;
const saying = (text: string) => ({ text: () => Promise.resolve(text) }) as unknown as Cluster;
const { signal } = new AbortController();

// what kubelets answered, with status 200
test.each([
  'failed to try resolving symlinks in path "/var/log/pods/one_web_1/main/0.log": lstat /var/log/pods/one_web_1: no such file or directory',
  'failed to open log file "/var/log/pods/one_web_1/main/0.log": open /var/log/pods/one_web_1/main/0.log: no such file or directory',
  'unable to retrieve container logs for docker://0c5e3a',
])('a kubelet that cannot read a log is not the container: %s', async (text) => {
  const cluster = saying(text);
  expect(await logLines(cluster, pod, { container: 'main' }, signal)).toEqual([]);
  expect(await lastLines(cluster, pod, 'main', signal)).toEqual([]);
});

test('each line that a container said counts, but for the empty ones', async () => {
  const cluster = saying('ready\n\nit failed to open log file "x"\n');
  expect(await logLines(cluster, pod, { container: 'main' }, signal)).toEqual([
    'ready',
    'it failed to open log file "x"',
  ]);
});
