import { LiftlockError } from '#kernel';
import { isDigest, type Digest } from './digest.js';

/** Where an image is named: a registry, a repository in it, and a tag, a digest or both. */
export interface Reference {
  /** Host and port as a person writes them: `docker.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** Path in the registry: `library/busybox`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DOCKER_HUB = 'docker.io';
/** The distribution specification's `<name>`, and its upper bound that clients must keep with the host. */
const REPOSITORY =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const MAX_NAME = 255;

/**
 * `[registry/]repository[:tag][@digest]`, as Docker reads it: the first part is a registry when it holds a dot or a colon, or is
 * `localhost`; a name without one is on Docker Hub. Without tag and digest the tag is `latest`.
 * @throws LiftlockError `invalid_request`
 */
export function parseReference(text: string): Reference {
  const named = parseRepository(text);
  const tagged = named.tag === undefined && named.digest === undefined;
  return tagged ? { ...named, tag: 'latest' } : named;
}

/** The same without the default of a tag: what names a whole repository. */
export function parseRepository(text: string): Reference {
  const refuse = (why: string): LiftlockError =>
    new LiftlockError(
      'invalid_request',
      `${JSON.stringify(text)} is not an image reference: ${why}`,
    );
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest))
    throw refuse(`what follows the @ is no digest (sha256:<64 hex digits>)`);
  const name = at === -1 ? text : text.slice(0, at);
  const slash = name.lastIndexOf('/');
  const colon = name.lastIndexOf(':');
  const tag = colon > slash ? name.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag))
    throw refuse(`the tag ${JSON.stringify(tag)} is not one (letters, digits, _ . -, at most 128)`);
  const { registry, repository } = splitRegistry(tag === undefined ? name : name.slice(0, colon));
  if (!HOST.test(registry)) throw refuse(`${JSON.stringify(registry)} is not a host`);
  if (!REPOSITORY.test(repository))
    throw refuse(
      repository.toLowerCase() === repository
        ? `${JSON.stringify(repository)} is not a repository's name`
        : 'a repository is written in lower case',
    );
  if (registry.length + repository.length + 1 > MAX_NAME)
    throw refuse(`host and repository together are longer than ${MAX_NAME} characters`);
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function splitRegistry(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first;
  if (!isHost)
    return {
      registry: DOCKER_HUB,
      repository: slash === -1 ? `library/${name}` : name,
    };
  const rest = name.slice(slash + 1);
  if (first !== DOCKER_HUB && first !== 'index.docker.io')
    return { registry: first, repository: rest };
  return { registry: DOCKER_HUB, repository: rest.includes('/') ? rest : `library/${rest}` };
}

export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** What a registry is asked for: the digest where there is one, since a tag may have moved. */
export function targetOf({ digest, tag }: Reference): string {
  return digest ?? tag ?? 'latest';
}

/** The host that speaks the API for a registry's name: Docker Hub's is another than people write. */
export function apiHostOf(registry: string): string {
  return registry === DOCKER_HUB ? 'registry-1.docker.io' : registry;
}
