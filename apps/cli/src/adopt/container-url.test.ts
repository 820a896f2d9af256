import { describe, expect, it } from 'vitest';
import { nameOf, parseContainerUrl } from './container-url.js';

describe('docker://HOST/CONTAINER', () => {
  it.each([
    ['docker://local/web', 'unix:///var/run/docker.sock', 'local', 'web'],
    [
      'docker:///run/user/0/docker.sock/my_web.1',
      'unix:///run/user/0/docker.sock',
      'local',
      'my_web.1',
    ],
    [
      'docker://ops@node-7.example.com/web',
      'ssh://ops@node-7.example.com',
      'node-7-example-com',
      'web',
    ],
    ['docker://ops@node-7:2222/web', 'ssh://ops@node-7:2222', 'node-7', 'web'],
    ['docker://tcp://10.0.0.7:2376/web', 'tcp://10.0.0.7:2376', '10-0-0-7', 'web'],
    [
      'docker://ssh://ops@node/run/docker.sock/web',
      'ssh://ops@node/run/docker.sock',
      'node',
      'web',
    ],
  ])('%s is %s', (url, endpoint, name, container) => {
    expect(parseContainerUrl(url)).toEqual({ endpoint, name, container });
  });

  it('names a target where an environment is given', () => {
    expect(parseContainerUrl('docker://host-a/web', 'prod')).toEqual({
      target: 'host-a',
      name: 'host-a',
      container: 'web',
    });
  });

  it.each([
    'local/web',
    'docker://web',
    'docker://local/',
    'docker://local/-x',
    'docker://node/web',
    'docker:///web',
    '',
  ])('%s is refused with how it is written', (url) => {
    expect(() => parseContainerUrl(url)).toThrow('docker://HOST/CONTAINER');
  });

  it('makes DNS labels of names', () => {
    expect(nameOf('My_Web.1', 'x')).toBe('my-web-1');
    expect(nameOf('__', 'x')).toBe('x');
  });
});
