import { describe, expect, test } from 'vitest';
import { composeServiceOf } from './compose-project.js';
import { ownerOf } from './owner.js';

describe('who would set a container back is known by its labels', () => {
  test.each([
    [
      'swarm:shop_web',
      { 'com.docker.swarm.service.name': 'shop_web', 'com.docker.swarm.task.id': 'x' },
    ],
    [
      'kubelet:prod/web-0',
      { 'io.kubernetes.pod.name': 'web-0', 'io.kubernetes.pod.namespace': 'prod' },
    ],
    ['kubelet:a container without a name there', { 'io.kubernetes.sandbox.id': 'x' }],
    ['nomad:shop', { 'com.hashicorp.nomad.alloc_id': 'x', 'com.hashicorp.nomad.job_name': 'shop' }],
    ['nomad:x', { 'com.hashicorp.nomad.alloc_id': 'x' }],
    [undefined, { 'com.docker.compose.project': 'shop', 'io.kubernetesish': 'no' }],
    [undefined, undefined],
  ])('%s', (owner, labels) => {
    expect(ownerOf(labels)).toBe(owner);
  });
});

describe('a Compose service', () => {
  const label = (more: Record<string, string>): Record<string, string> =>
    Object.fromEntries(
      Object.entries({ project: 'shop', service: 'web', ...more }).map(([key, value]) => [
        `com.docker.compose.${key}`,
        value,
      ]),
    );

  test('has its files by absolute paths, as version 1 does not write them', () => {
    const labels = label({
      'project.config_files': 'docker-compose.yml,/etc/over.yml,-',
      'project.working_dir': '/srv/shop',
      'project.environment_file': '/srv/shop/prod.env',
    });
    expect(composeServiceOf(labels)).toMatchObject({
      files: ['/srv/shop/docker-compose.yml', '/etc/over.yml'],
      environmentFiles: ['/srv/shop/prod.env'],
    });
  });

  test('is not what `docker compose run` made, which Compose never looks at again', () => {
    expect(composeServiceOf(label({ oneoff: 'True' }))).toBeUndefined();
  });
});
