import { LiftlockError } from '#kernel';

/** Where a container is, as a person writes it. */
export interface ContainerPlace {
  /** Target of a stored environment, or nothing where the endpoint is written out. */
  readonly target?: string;
  /** As an Environment's target has it. */
  readonly endpoint?: string;
  /** What to call the target, and where nothing better is known the environment. */
  readonly name: string;
  readonly container: string;
}

const SYSTEM_SOCKET = 'unix:///var/run/docker.sock';
const PREFIX = 'docker://';
/** As the engine takes it. */
const CONTAINER = /^[A-Za-z0-9][A-Za-z0-9_.-]+$/;

/**
 * `docker://HOST/CONTAINER`. HOST is `local` (the system's socket on the executor's machine), a socket's path
 * (`docker:///run/docker.sock/web`), `user@host[:port]` (SSH), an endpoint as documents have it (`docker://tcp://host:2376/web`),
 * or the name of a target of the environment that is given beside.
 *
 * @throws LiftlockError `invalid_request` that says how it is written.
 */
export function parseContainerUrl(url: string, environment?: string): ContainerPlace {
  const rest = url.startsWith(PREFIX) ? url.slice(PREFIX.length) : '';
  const end = rest.lastIndexOf('/');
  const host = rest.slice(0, end);
  const container = rest.slice(end + 1);
  if (end <= 0 || !CONTAINER.test(container)) throw malformed(url);
  if (host.startsWith('/'))
    return { endpoint: `unix://${host}`, name: nameOf('local', 'local'), container };
  const endpoint = /^(?:unix|ssh|tcp):\/\/(?:[^/@]*@)?([^/:]*)/.exec(host);
  if (endpoint !== null)
    return { endpoint: host, name: nameOf(endpoint[1] ?? '', 'local'), container };
  const user = /^[^@/\s]+@([^@/:\s]+)(?::\d+)?$/.exec(host);
  if (user !== null)
    return { endpoint: `ssh://${host}`, name: nameOf(user[1] ?? '', 'host'), container };
  if (environment !== undefined && /^[a-z0-9][-a-z0-9]*$/.test(host))
    return { target: host, name: host, container };
  if (host === 'local') return { endpoint: SYSTEM_SOCKET, name: 'local', container };
  throw malformed(url);
}

/** A DNS label of what somebody called something. */
export function nameOf(text: string, otherwise: string): string {
  const label = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replaceAll(/^-+|-+$/g, '');
  return label === '' ? otherwise : label;
}

function malformed(url: string): LiftlockError {
  return new LiftlockError(
    'invalid_request',
    `${url} is not docker://HOST/CONTAINER, with HOST one of: local, the path of a socket (docker:///run/docker.sock/web), ` +
      'user@host[:port], an endpoint (docker://tcp://host:2376/web), or with --environment the name of one of its targets',
  );
}
