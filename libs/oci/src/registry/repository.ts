import { LiftlockError } from '#kernel';
import { deleteScope, pullScope, pushScope, type Scope } from '../auth/scope.js';
import { algorithmOf, isDigest, type Digest } from '../digest.js';
import type { Answer } from '../http/answer.js';
import { MAX_MANIFEST_BYTES, rawManifest, type RawManifest } from '../manifest.js';
import { ACCEPTED_MANIFESTS } from '../media-types.js';
import { readLinked } from './pages.js';
import type { RegistryClient, RegistryRequest } from './registry-client.js';

export interface Presence {
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
}

export interface PutAnswer {
  /** The registry told that it took note of the manifest's subject (`OCI-Subject`): no tag has to be kept for it. */
  readonly subjectNoted: boolean;
}

const SCOPES = { pull: pullScope, push: pushScope, delete: deleteScope };
/** What is done with a repository, reading included. */
export type RepositoryAccess = keyof typeof SCOPES;

/** One repository of a registry: manifests and tags. Blobs have files of their own. */
export class Repository {
  readonly scopes: readonly Scope[];

  constructor(
    readonly client: RegistryClient,
    readonly name: string,
    /** What a token is asked for: one for both, where things are pushed, instead of two. */
    access: RepositoryAccess,
  ) {
    this.scopes = [SCOPES[access](name)];
  }

  /** `127.0.0.1:5000/app`, for messages and keys. */
  get address(): string {
    return `${this.client.registry}/${this.name}`;
  }

  async send(
    request: Omit<RegistryRequest, 'scopes' | 'url'> & {
      readonly url: string | URL;
      readonly scopes?: readonly Scope[];
    },
  ): Promise<Answer> {
    const { url } = request;
    return this.client.send({
      scopes: this.scopes,
      ...request,
      url: url instanceof URL ? url : `/v2/${this.name}/${url}`,
    });
  }

  /** @param target a tag or a digest @throws LiftlockError `image_missing`, `image_corrupt` when it is not what the digest says */
  async manifest(target: string, signal?: AbortSignal): Promise<RawManifest> {
    const where = `${this.address}${isDigest(target) ? '@' : ':'}${target}`;
    const answer = await this.send({
      method: 'GET',
      url: `manifests/${target}`,
      what: `reading ${where}`,
      headers: { accept: ACCEPTED_MANIFESTS },
      expect: [200],
      signal,
    });
    const told = answer.header('docker-content-digest') ?? '';
    const expected = isDigest(target) ? target : isDigest(told) ? told : undefined;
    const type = answer.header('content-type');
    const bytes = await answer.bytes(MAX_MANIFEST_BYTES);
    const algorithm = expected === undefined ? 'sha256' : algorithmOf(expected);
    const raw = rawManifest(bytes, type, where, algorithm);
    if (expected !== undefined && raw.digest !== expected)
      throw new LiftlockError(
        'image_corrupt',
        `${where} came as ${raw.digest}, not as ${expected}: it was changed on the way or in the registry`,
        { details: { expected, found: raw.digest } },
      );
    return raw;
  }

  /** Whether it is there, without its bytes; where a registry has no HEAD, with them. */
  async find(target: string, signal?: AbortSignal): Promise<Presence | undefined> {
    const what = `looking for ${this.address}${isDigest(target) ? '@' : ':'}${target}`;
    const headers = { accept: ACCEPTED_MANIFESTS };
    const ask = (method: 'HEAD' | 'GET', expect: readonly number[]): Promise<Answer> =>
      this.send({ method, url: `manifests/${target}`, what, headers, expect, signal });
    let answer = await ask('HEAD', [200, 404, 405, 501]);
    const told = answer.header('docker-content-digest');
    if (answer.status === 200 && told !== undefined && isDigest(told)) {
      answer.discard();
      return { digest: told, mediaType: answer.header('content-type') };
    }
    if (answer.status === 404) {
      answer.discard();
      return undefined;
    }
    answer.discard();
    answer = await ask('GET', [200, 404]);
    if (answer.status === 404) {
      answer.discard();
      return undefined;
    }
    const type = answer.header('content-type');
    const raw = rawManifest(await answer.bytes(MAX_MANIFEST_BYTES), type, what);
    return { digest: raw.digest, mediaType: raw.mediaType };
  }

  /** @param target a tag, or the manifest's own digest */
  async putManifest(target: string, raw: RawManifest, signal?: AbortSignal): Promise<PutAnswer> {
    const where = `${this.address}${isDigest(target) ? '@' : ':'}${target}`;
    const answer = await this.send({
      method: 'PUT',
      url: `manifests/${target}`,
      what: `writing ${where}`,
      headers: { 'content-type': raw.mediaType },
      body: raw.bytes,
      expect: [201, 200, 202],
      signal,
    });
    answer.discard();
    const told = answer.header('docker-content-digest');
    if (
      told !== undefined &&
      isDigest(told) &&
      algorithmOf(told) === algorithmOf(raw.digest) &&
      told !== raw.digest
    )
      throw new LiftlockError(
        'image_corrupt',
        `${where} was written as ${raw.digest}, and the registry says ${told}: it changes what it is given, and cannot hold a mirror`,
        { details: { expected: raw.digest, found: told } },
      );
    return { subjectNoted: answer.header('oci-subject') !== undefined };
  }

  /**
   * Takes a manifest away, with every tag that means it; one that is not there is no error. Its blobs go when the registry clears up.
   * @throws LiftlockError `registry_refused` where the registry deletes nothing
   */
  async deleteManifest(digest: Digest, signal?: AbortSignal): Promise<void> {
    const answer = await this.send({
      method: 'DELETE',
      url: `manifests/${digest}`,
      what: `deleting ${this.address}@${digest}`,
      expect: [202, 200, 204, 404, 405, 501],
      signal,
    });
    answer.discard();
    if (answer.status !== 405 && answer.status !== 501) return;
    throw new LiftlockError(
      'registry_refused',
      `${this.client.registry} deletes nothing (${answer.status}): allow it there (REGISTRY_STORAGE_DELETE_ENABLED=true for docker-registry), or delete ${this.address}@${digest} with the registry's own means`,
      { details: { registry: this.client.registry, status: answer.status } },
    );
  }

  /** All tags, in the registry's order; a repository that is not there has none. */
  async tags(signal?: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    const pages = readLinked(this.client, {
      url: `/v2/${this.name}/tags/list?n=1000`,
      what: `listing the tags of ${this.address}`,
      scopes: this.scopes,
      signal,
    });
    for await (const page of pages) {
      const listed = page['tags'];
      if (Array.isArray(listed))
        for (const tag of listed) if (typeof tag === 'string') tags.push(tag);
    }
    return tags;
  }
}
