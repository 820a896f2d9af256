import { assertNever } from '#kernel';
import { credentialIssues, withoutPassword, type EndpointIssue } from './endpoint-issue.js';
import type { CredentialName, Credentials } from './target-credentials.js';

/** Where a Docker Engine listens. */
export type DockerEndpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | {
      readonly kind: 'ssh';
      readonly user: string;
      readonly host: string;
      readonly port: number;
      /** The engine's socket over there; default `/var/run/docker.sock`. */
      readonly path: string;
    };

const SYSTEM_SOCKET = '/var/run/docker.sock';
const SSH_PORT = 22;
/** Host names, IPv4, and IPv6 in brackets. */
const HOST = String.raw`(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)`;
const PORT = String.raw`(?::(\d{1,5}))`;
const UNIX = /^unix:\/\/(\/.+)$/;
const TCP = new RegExp(`^tcp://${HOST}${PORT}/?$`);
const SSH = new RegExp(String.raw`^ssh://([A-Za-z0-9_][A-Za-z0-9_.-]*)@${HOST}${PORT}?(/[^\s]*)?$`);

/** `undefined` for what is none of `unix:///path`, `tcp://host:port` and `ssh://user@host[:port][/socket]`. */
export function parseDockerEndpoint(endpoint: string): DockerEndpoint | undefined {
  const path = UNIX.exec(endpoint)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const [, tcpHost, tcpPort] = TCP.exec(endpoint) ?? [];
  if (tcpHost !== undefined && tcpPort !== undefined) {
    const port = Number(tcpPort);
    return isPort(port) ? { kind: 'tcp', host: bare(tcpHost), port } : undefined;
  }
  const [, user, host, sshPort, socket] = SSH.exec(endpoint) ?? [];
  if (user === undefined || host === undefined) return undefined;
  const port = sshPort === undefined ? SSH_PORT : Number(sshPort);
  if (!isPort(port)) return undefined;
  const own = socket !== undefined && socket !== '/';
  return { kind: 'ssh', user, host: bare(host), port, path: own ? socket : SYSTEM_SOCKET };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** What must be given to reach an engine there, and what may be. */
export function credentialsOf(endpoint: DockerEndpoint): {
  readonly needed: readonly CredentialName[];
  readonly allowed: readonly CredentialName[];
} {
  switch (endpoint.kind) {
    case 'unix':
      return { needed: [], allowed: [] };
    case 'tcp': {
      const tls = ['ca', 'certificate', 'key'] as const;
      return { needed: isLoopback(endpoint.host) ? [] : tls, allowed: tls };
    }
    case 'ssh':
      return { needed: ['key', 'knownHosts'], allowed: ['key', 'knownHosts', 'passphrase'] };
    default:
      return assertNever(endpoint, 'endpoint');
  }
}

/** What is wrong with an endpoint and what it is reached with; empty when nothing is. */
export function dockerEndpointIssues(
  endpoint: string,
  given: Credentials | undefined,
): readonly EndpointIssue[] {
  const parsed = parseDockerEndpoint(endpoint);
  if (parsed === undefined) {
    return [
      {
        path: ['endpoint'],
        message: `${withoutPassword(endpoint)} is none of unix:///path, tcp://host:port and ssh://user@host[:port][/path of the socket]`,
      },
    ];
  }
  const { needed, allowed } = credentialsOf(parsed);
  const isPartly = parsed.kind === 'tcp' && Object.keys(given ?? {}).length > 0;
  return credentialIssues(given, {
    needed: isPartly ? allowed : needed,
    allowed,
    lacking: (names) => missingMessage(parsed, names),
    uselessWhere: `for a ${parsed.kind}:// endpoint`,
  });
}

function missingMessage(endpoint: DockerEndpoint, missing: readonly string[]): string {
  const list = missing.join(', ');
  return endpoint.kind === 'tcp'
    ? `an engine over TCP is reached with certificates of both sides, since whoever reaches it is root on its host; missing: ${list} ` +
        '(references to secrets), or use ssh://user@host'
    : `an engine over SSH needs references to secrets: ${list}`;
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}
