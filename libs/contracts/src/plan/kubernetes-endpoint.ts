import { assertNever } from '#kernel';
import { credentialIssues, withoutPassword, type EndpointIssue } from './endpoint-issue.js';
import type { CredentialName, Credentials } from './target-credentials.js';

/** Where the API server of a Kubernetes cluster is found. */
export type KubernetesEndpoint =
  | {
      readonly kind: 'server';
      /** Without a slash at its end. */
      readonly url: string;
    }
  | {
      readonly kind: 'kubeconfig';
      /** Of the file that the credentials give. */
      readonly context: string;
    };

const KUBECONFIG = /^kubeconfig:\/\/(\S+)$/;

/** `undefined` for what is neither `https://host[:port][/path]` nor `kubeconfig://context`. */
export function parseKubernetesEndpoint(endpoint: string): KubernetesEndpoint | undefined {
  const context = KUBECONFIG.exec(endpoint)?.[1];
  if (context !== undefined) return { kind: 'kubeconfig', context };
  const url = URL.parse(endpoint);
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined;
  // an IPv6 address in brackets, a path of a proxy (Rancher's, for one): as the parser has them
  if (url.search !== '' || url.hash !== '' || /\s/.test(endpoint)) return undefined;
  return { kind: 'server', url: url.href.replace(/\/+$/, '') };
}

/** What may be given for an API server that is named by its address: one of these, and all of it. */
const WAYS: ReadonlyArray<readonly CredentialName[]> = [
  ['ca', 'token'],
  ['ca', 'certificate', 'key'],
];

/** What is wrong with an endpoint and what it is reached with, all of it; empty when nothing is. */
export function kubernetesEndpointIssues(
  endpoint: string,
  given: Credentials | undefined,
): readonly EndpointIssue[] {
  const parsed = parseKubernetesEndpoint(endpoint);
  if (parsed === undefined) {
    const plain = /^http:/i.test(endpoint)
      ? ': plain http would show the credentials to whoever is on the way'
      : '';
    return [
      {
        path: ['endpoint'],
        message: `${withoutPassword(endpoint)} is neither https://host:port of an API server nor kubeconfig://context${plain}`,
      },
    ];
  }
  const way = wayOf(parsed, Object.keys(given ?? {}) as CredentialName[]);
  return credentialIssues(given, {
    needed: way,
    allowed: way,
    lacking: (names) => missingMessage(parsed, names),
    uselessWhere: whereOf(parsed, way),
  });
}

/** The way in that is meant, as far as it can be told. */
function wayOf(
  endpoint: KubernetesEndpoint,
  names: readonly CredentialName[],
): readonly CredentialName[] {
  if (endpoint.kind === 'kubeconfig') return ['kubeconfig'];
  const [byToken = [], byCertificate = []] = WAYS;
  const isByCertificate = names.includes('certificate') || names.includes('key');
  return isByCertificate && !names.includes('token') ? byCertificate : byToken;
}

function missingMessage(endpoint: KubernetesEndpoint, missing: readonly string[]): string {
  const list = missing.join(', ');
  switch (endpoint.kind) {
    case 'kubeconfig':
      return `a context is one of a kubeconfig file; missing: ${list} (a reference to a secret that holds the file)`;
    case 'server':
      return (
        'an API server is reached with ca and token, or with ca, certificate and key; ' +
        `missing: ${list} (references to secrets), or name a context: kubeconfig://context`
      );
    default:
      return assertNever(endpoint, 'endpoint');
  }
}

function whereOf(endpoint: KubernetesEndpoint, way: readonly CredentialName[]): string {
  if (endpoint.kind === 'kubeconfig') return 'beside a kubeconfig';
  return way.includes('token') ? 'beside a token' : 'for an https:// endpoint';
}
