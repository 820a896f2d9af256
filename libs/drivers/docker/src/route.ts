import {
  dockerEndpointIssues,
  parseDockerEndpoint,
  type Credentials,
  type DockerEndpoint,
} from '#contracts';
import type { SecretStore } from '#drivers/core';
import { assertNever, LiftlockError } from '#kernel';
import type { Route } from './engine-agent.js';
import type { EngineName } from './engine-name.js';
import { SshRoute } from './route-ssh.js';
import { tcpRoute, tlsRoute, unixRoute } from './route-socket.js';

/** @throws LiftlockError `misconfigured` for an endpoint that cannot be, or lacks what it is reached with. */
export function routeTo(
  engine: EngineName,
  credentials: Credentials | undefined,
  secrets: SecretStore,
): Route {
  const endpoint = usable(engine, credentials);
  switch (endpoint.kind) {
    case 'unix':
      return unixRoute(engine, endpoint.path);
    case 'tcp':
      return credentials === undefined || Object.keys(credentials).length === 0
        ? tcpRoute(engine, endpoint.host, endpoint.port)
        : tlsRoute(engine, endpoint, credentials, secrets);
    case 'ssh':
      return new SshRoute(engine, endpoint, credentials ?? {}, secrets);
    default:
      return assertNever(endpoint, 'endpoint');
  }
}

/** Documents from before these rules may be in a stored plan. */
function usable(engine: EngineName, credentials: Credentials | undefined): DockerEndpoint {
  const parsed = parseDockerEndpoint(engine.endpoint);
  const issues = dockerEndpointIssues(engine.endpoint, credentials);
  if (parsed !== undefined && issues.length === 0) return parsed;
  const why = issues.map(({ message }) => message).join('; ');
  throw new LiftlockError('misconfigured', `target ${engine.name} cannot be reached: ${why}`, {
    details: { target: engine.name },
  });
}
