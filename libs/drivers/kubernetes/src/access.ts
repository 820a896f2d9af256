import {
  newClusters,
  newContexts,
  newUsers,
  type Cluster,
  type User,
} from '@kubernetes/client-node/dist/config_types.js';
import { parse } from 'yaml';
import {
  kubernetesEndpointIssues,
  parseKubernetesEndpoint,
  type Credentials,
  type KubernetesEndpoint,
} from '#contracts';
import type { SecretStore } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { ClusterName } from './cluster-name.js';

/** A cluster, and with what it is reached. */
export interface ClusterPlace extends ClusterName {
  readonly credentials?: Credentials | undefined;
}

/** All that a connection to an API server needs. */
export interface Access {
  /** `https://host:port`, and a path where the server has one. */
  readonly server: string;
  readonly tls: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly servername?: string;
  };
  /** Of an HTTP proxy on the way. */
  readonly proxy?: string;
  readonly token?: string;
}

/** What a context of a kubeconfig names. */
interface Pair {
  readonly cluster: Cluster;
  readonly user: User;
}

/** What the secrets of a place stand for at this moment: tokens expire, and are replaced. */
export type Material = Readonly<Partial<Record<keyof Credentials, string>>>;

/** @throws LiftlockError `misconfigured` naming a secret that this service does not know. */
export async function readMaterial(
  { credentials = {} }: ClusterPlace,
  secrets: SecretStore,
): Promise<Material> {
  const read = Object.entries(credentials).map(
    async ([name, reference]) => [name, await secrets.get(reference)] as const,
  );
  return Object.fromEntries(await Promise.all(read));
}

/** @throws LiftlockError `misconfigured` for what cannot be used, without a word of what it holds. */
export function accessBy(place: ClusterPlace, material: Material): Access {
  const endpoint = usable(place);
  const { cluster, user } =
    endpoint.kind === 'server'
      ? pairOf(place, endpoint.url, material)
      : contextOf(place, endpoint.context, material);
  const { server, caData, tlsServerName, proxyUrl } = cluster;
  const { certData, keyData, token } = user;
  return {
    server: server.replace(/\/+$/, ''),
    tls: {
      ...textOf('ca', caData),
      ...textOf('cert', certData),
      ...textOf('key', keyData),
      ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
    },
    ...(proxyUrl === undefined ? {} : { proxy: proxyUrl }),
    ...(token === undefined ? {} : { token: token.trim() }),
  };
}

/** Documents from before these rules may be in a stored plan. */
function usable(place: ClusterPlace): KubernetesEndpoint {
  const parsed = parseKubernetesEndpoint(place.endpoint);
  const issues = kubernetesEndpointIssues(place.endpoint, place.credentials);
  if (parsed !== undefined && issues.length === 0) return parsed;
  throw unusable(place, issues.map(({ message }) => message).join('; '));
}

function pairOf({ name }: ClusterPlace, url: string, material: Material): Pair {
  const { ca, token, certificate, key } = material;
  return {
    cluster: {
      ...{ name, server: url, skipTLSVerify: false },
      ...encoded('caData', ca),
    },
    user: {
      name,
      ...(token === undefined ? {} : { token }),
      ...encoded('certData', certificate),
      ...encoded('keyData', key),
    },
  };
}

function contextOf(place: ClusterPlace, context: string, { kubeconfig }: Material): Pair {
  const { contexts, clusters, users } = read(place, kubeconfig ?? '');
  const found = contexts.find(({ name }) => name === context);
  if (found === undefined) {
    const names = contexts.map(({ name }) => name).join(', ') || 'none';
    throw unusable(place, `it has no context ${context}, but: ${names}`);
  }
  const cluster = clusters.find(({ name }) => name === found.cluster);
  const user = users.find(({ name }) => name === found.user);
  if (cluster === undefined || user === undefined)
    throw unusable(place, 'its context names a cluster or a user that is not in it');
  const problem = problemOf(cluster, user);
  if (problem !== undefined) throw unusable(place, problem);
  return { cluster, user };
}

function read(
  place: ClusterPlace,
  kubeconfig: string,
): {
  readonly contexts: ReturnType<typeof newContexts>;
  readonly clusters: Cluster[];
  readonly users: User[];
} {
  try {
    const { contexts, clusters, users } = parse(kubeconfig) as Record<string, unknown>;
    return {
      contexts: newContexts(contexts),
      clusters: newClusters(clusters),
      users: newUsers(users),
    };
  } catch {
    // the parser's own words repeat what is there
    throw unusable(place, 'it is no kubeconfig');
  }
}

/** What a kubeconfig may say, and we do not do: it would run programs here, read files that are elsewhere, or trust anybody. */
function problemOf(cluster: Cluster, user: User): string | undefined {
  const texts = {
    token: user.token,
    'client-certificate-data': user.certData,
    'client-key-data': user.keyData,
    'certificate-authority-data': cluster.caData,
  };
  for (const [what, value] of Object.entries<unknown>(texts))
    if (value !== undefined && typeof value !== 'string')
      return `${what} of its context is no text: put it into quotes`;
  const files = [cluster.caFile, user.certFile, user.keyFile].filter((file) => file !== undefined);
  if (files.length > 0)
    return `it names files (${files.join(', ')}): write them into it, with kubectl config view --flatten --raw`;
  if (!cluster.server.startsWith('https://'))
    return `the server of its cluster ${cluster.name} is not https://`;
  if (cluster.skipTLSVerify)
    return `its cluster ${cluster.name} says insecure-skip-tls-verify: give it certificate-authority-data`;
  if (user.exec !== undefined && user.exec !== null)
    return `its user ${user.name} has an exec plugin (${(user.exec as { command?: string }).command ?? 'exec'}): no program is run for it; give it the token of a service account, or a certificate`;
  if (user.authProvider !== undefined && user.authProvider !== null)
    return `its user ${user.name} has an auth-provider (${(user.authProvider as { name?: string }).name ?? 'auth-provider'}): give it the token of a service account, or a certificate`;
  if (user.username !== undefined)
    return `its user ${user.name} has a user name and password, which no API server takes any more`;
  if (user.impersonateUser !== undefined) return `its user ${user.name} impersonates another`;
  if (cluster.proxyUrl !== undefined && !/^https?:/.test(cluster.proxyUrl))
    return `the proxy-url of its cluster ${cluster.name} is neither http:// nor https://`;
  return undefined;
}

function unusable({ name, endpoint, credentials }: ClusterPlace, why: string): LiftlockError {
  const reference = credentials?.kubeconfig;
  const what = reference === undefined ? '' : ` by the kubeconfig ${reference}`;
  return new LiftlockError(
    'misconfigured',
    `target ${name} (${endpoint}) cannot be reached${what}: ${why}`,
    { details: { target: name, endpoint } },
  );
}

function encoded<K extends string>(
  key: K,
  pem: string | undefined,
): { readonly [k in K]?: string } {
  if (pem === undefined) return {};
  return { [key]: Buffer.from(pem).toString('base64') } as { readonly [k in K]: string };
}

function textOf<K extends string>(
  key: K,
  data: string | undefined,
): { readonly [k in K]?: string } {
  if (data === undefined) return {};
  return { [key]: Buffer.from(data, 'base64').toString('utf8') } as { readonly [k in K]: string };
}
