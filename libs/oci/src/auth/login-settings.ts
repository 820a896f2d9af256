import { join } from 'node:path';
import type { ProxySettings } from '../http/settings.js';
import { certificatesIn, type Certificates } from './certificate-folders.js';
import { DockerConfigStore } from './credential-store.js';

/** Variables of the environment that say how a person is signed in to registries, and by which proxies they are reached. */
export const LOGIN_VARIABLES = [
  ...['PATH', 'HOME', 'DOCKER_CONFIG', 'REGISTRY_AUTH_FILE', 'XDG_RUNTIME_DIR'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
] as const;

type Variables = Readonly<Record<string, string | undefined>>;

/** As `docker login`, `podman login` and `skopeo login` left it, certificates as they look for them, and the usual variables of proxies. */
export function loginSettings(variables: Variables): {
  readonly credentials: DockerConfigStore;
  readonly certificates: (registry: string) => Certificates;
  readonly proxy?: ProxySettings;
} {
  const home = variables['HOME'];
  const docker = variables['DOCKER_CONFIG'] || (home ? join(home, '.docker') : undefined);
  const runtime = variables['XDG_RUNTIME_DIR'];
  const files = [
    ...(variables['REGISTRY_AUTH_FILE'] ? [variables['REGISTRY_AUTH_FILE']] : []),
    ...(docker === undefined ? [] : [join(docker, 'config.json')]),
    ...(runtime ? [join(runtime, 'containers', 'auth.json')] : []),
  ];
  const folders = [
    ...(home ? [join(home, '.config', 'containers', 'certs.d')] : []),
    ...['/etc/containers/certs.d', '/etc/docker/certs.d'],
  ];
  const proxy = (name: 'HTTP_PROXY' | 'HTTPS_PROXY' | 'NO_PROXY'): Record<string, string> => {
    const value = variables[name] || variables[name.toLowerCase()];
    return value ? { [name]: value } : {};
  };
  const proxies = { ...proxy('HTTP_PROXY'), ...proxy('HTTPS_PROXY'), ...proxy('NO_PROXY') };
  return {
    credentials: new DockerConfigStore(files, variables),
    certificates: (registry) => certificatesIn(folders, registry),
    ...(proxies['HTTP_PROXY'] || proxies['HTTPS_PROXY'] ? { proxy: proxies } : {}),
  };
}
