import { createHash, randomBytes, sign, type KeyObject } from 'node:crypto';
import { pack } from 'tar-stream';
import { busyboxRoot } from '../../examples/guestbook/index.js';

const OCI = 'application/vnd.oci.image';

/** An image that an engine can run. */
export interface ServiceImage {
  readonly layers: readonly Buffer[];
  readonly config: Buffer;
}

/** Busybox and a start script, and so many random bytes besides. */
export async function serviceImage(script: string, ballast = 0): Promise<ServiceImage> {
  const layers = [await busyboxRoot(script)];
  if (ballast > 0) layers.push(await fileLayer('ballast', randomBytes(ballast)));
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['/start.sh'] },
    rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
    history: layers.map(() => ({ created_by: 'test' })),
  };
  return { layers, config: Buffer.from(JSON.stringify(config)) };
}

/** A repository of a registry on the loopback, over HTTP, as a client of another make than ours sees it. */
export class PlainRepository {
  private readonly base: string;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly host: string,
    readonly name: string,
    login?: { readonly username: string; readonly password: string },
  ) {
    this.base = `http://${host}/v2/${name}`;
    const basic = Buffer.from(`${login?.username ?? ''}:${login?.password ?? ''}`);
    this.headers =
      login === undefined ? {} : { authorization: `Basic ${basic.toString('base64')}` };
  }

  /** @returns its digest */
  async push(tag: string, { layers, config }: ServiceImage): Promise<string> {
    for (const blob of [...layers, config]) await this.pushBlob(blob);
    return this.pushManifest(tag, {
      config: described(config, `${OCI}.config.v1+json`),
      layers: layers.map((layer) => described(layer, `${OCI}.layer.v1.tar`)),
    });
  }

  /**
   * As cosign signs: the words that name the digest, and the signature beside the image.
   * @param beside the image that it is put beside; default: the one that it is of
   * @returns the signature's digest
   */
  async sign(digest: string, key: KeyObject, beside = digest): Promise<string> {
    const words = Buffer.from(
      JSON.stringify({
        critical: {
          identity: { 'docker-reference': 'test' },
          image: { 'docker-manifest-digest': digest },
          type: 'cosign container image signature',
        },
        optional: null,
      }),
    );
    const config = Buffer.from('{}');
    for (const blob of [words, config]) await this.pushBlob(blob);
    const annotations = {
      'dev.cosignproject.cosign/signature': sign('sha256', words, key).toString('base64'),
    };
    return this.pushManifest(`${beside.replace(':', '-')}.sig`, {
      config: described(config, `${OCI}.config.v1+json`),
      layers: [
        {
          ...described(words, 'application/vnd.dev.cosign.simplesigning.v1+json'),
          annotations,
        },
      ],
    });
  }

  /**
   * Something that refers to an image by its `subject`, and the list of that under the tag that stands in for the referrers' API: as clients
   * write them where a registry has none.
   * @returns its digest
   */
  async attach(digest: string): Promise<string> {
    const content = randomBytes(40);
    const config = Buffer.from('{}');
    for (const blob of [content, config]) await this.pushBlob(blob);
    const mediaType = `${OCI}.manifest.v1+json`;
    const size = await this.sizeOf(digest, mediaType);
    const attached = await this.pushManifest(undefined, {
      artifactType: 'application/vnd.test.sbom',
      config: described(config, 'application/vnd.oci.empty.v1+json'),
      layers: [described(content, 'application/vnd.test.sbom')],
      subject: { mediaType, digest, size },
    });
    await this.pushIndex(digest.replace(':', '-'), [attached]);
    return attached;
  }

  /** Another tag for a manifest that is there. */
  async tag(digest: string, tag: string): Promise<void> {
    const type = `${OCI}.manifest.v1+json`;
    const url = `${this.base}/manifests/${digest}`;
    const answer = await this.send('GET', url, [200], undefined, type);
    const bytes = Buffer.from(await answer.arrayBuffer());
    await this.send('PUT', `${this.base}/manifests/${tag}`, [201], bytes, type);
  }

  async deleteManifest(digest: string): Promise<void> {
    await this.send('DELETE', `${this.base}/manifests/${digest}`, [202]);
  }

  /** Empty where there is no such repository. */
  async tags(): Promise<string[]> {
    const answer = await this.send('GET', `${this.base}/tags/list`, [200, 404]);
    if (answer.status === 404) return [];
    const { tags } = (await answer.json()) as { readonly tags: readonly string[] | null };
    return [...(tags ?? [])].toSorted();
  }

  /** @returns the digest of a tag; undefined where there is none */
  async digest(tag: string): Promise<string | undefined> {
    const answer = await this.send(
      'GET',
      `${this.base}/manifests/${tag}`,
      [200, 404],
      undefined,
      `${OCI}.manifest.v1+json`,
    );
    return answer.status === 404 ? undefined : digestOf(Buffer.from(await answer.arrayBuffer()));
  }

  /** An index of what is there already. */
  async pushIndex(tag: string, digests: readonly string[]): Promise<string> {
    const mediaType = `${OCI}.manifest.v1+json`;
    const sizes = await Promise.all(digests.map((digest) => this.sizeOf(digest, mediaType)));
    const manifests = digests.map((digest, at) => ({ mediaType, digest, size: sizes[at] }));
    return this.pushManifest(tag, { manifests }, `${OCI}.index.v1+json`);
  }

  private async sizeOf(digest: string, type: string): Promise<number> {
    const url = `${this.base}/manifests/${digest}`;
    const answer = await this.send('GET', url, [200], undefined, type);
    return (await answer.arrayBuffer()).byteLength;
  }

  /** @param tag undefined: it is named by its digest only */
  private async pushManifest(
    tag: string | undefined,
    parts: object,
    type = `${OCI}.manifest.v1+json`,
  ): Promise<string> {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, ...parts }));
    const name = tag ?? digestOf(bytes);
    await this.send('PUT', `${this.base}/manifests/${name}`, [201], bytes, type);
    return digestOf(bytes);
  }

  private async pushBlob(bytes: Buffer): Promise<void> {
    const begun = await this.send('POST', `${this.base}/blobs/uploads/`, [202]);
    const place = new URL(begun.headers.get('location') ?? '', this.base);
    place.searchParams.set('digest', digestOf(bytes));
    await this.send('PUT', place.href, [201], bytes, 'application/octet-stream');
  }

  private async send(
    method: string,
    url: string,
    expect: readonly number[],
    body?: Buffer,
    type?: string,
  ): Promise<Response> {
    const answer = await fetch(url, {
      method,
      headers: {
        ...this.headers,
        ...(type === undefined
          ? {}
          : body === undefined
            ? { accept: type }
            : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    });
    if (expect.includes(answer.status)) return answer;
    throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  }
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** How a manifest names a blob. */
export function described(bytes: Buffer, mediaType: string): object {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}

/** A layer with one file. */
export async function fileLayer(name: string, content: Buffer | string): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name, mtime: new Date(0) }, content);
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
