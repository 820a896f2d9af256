import { LiftlockError } from '#kernel';
import type { Descriptor } from '../descriptor.js';
import type { BlobSource } from '../registry/blob-source.js';

interface Begun {
  readonly reader: AsyncIterator<Buffer>;
  readonly first: Promise<IteratorResult<Buffer>>;
  readonly stop: AbortController;
  hasCome: boolean;
}

/**
 * A blob's body that is asked for before it is certain that it is wanted, so that the source's round trip passes while the target's does. Of
 * what comes one piece is read; the rest waits in the connection.
 */
export class EarlyBody implements BlobSource {
  private begun: Begun | undefined;

  constructor(
    private readonly source: BlobSource,
    private readonly blob: Descriptor,
    private readonly signal: AbortSignal,
  ) {}

  get name(): string {
    return this.source.name;
  }

  /** Asks for it, unless it was asked for already, or the source is near. */
  begin(): void {
    if (this.begun !== undefined || this.source.isRemote !== true) return;
    const stop = new AbortController();
    const signal = AbortSignal.any([this.signal, stop.signal]);
    const reader = this.source.read(this.blob, { signal })[Symbol.asyncIterator]();
    const begun: Begun = { reader, first: reader.next(), stop, hasCome: false };
    begun.first.then(
      () => (begun.hasCome = true),
      // told to who reads it; where nobody does, nobody wants to know
      () => undefined,
    );
    this.begun = begun;
  }

  /** The body that was begun, once; from then on as the source does it. */
  read(
    blob: Pick<Descriptor, 'digest' | 'size'>,
    options: { readonly offset?: number; readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<Buffer> {
    const { begun } = this;
    if (begun === undefined || (options.offset ?? 0) > 0) return this.source.read(blob, options);
    this.begun = undefined;
    return goOn(begun);
  }

  /** Nobody wants it any more, unless it is being read already. It may be begun anew. */
  async end(): Promise<void> {
    const { begun } = this;
    if (begun === undefined) return;
    this.begun = undefined;
    // one that comes is left to its reader: a connection of which little is left to read is of use to the next one
    if (!begun.hasCome) begun.stop.abort(new LiftlockError('revoked', 'nobody wants this body'));
    await begun.first.catch(() => undefined);
    await begun.reader.return?.();
  }
}

async function* goOn({ reader, first }: Begun): AsyncGenerator<Buffer, void, undefined> {
  try {
    for (let next = await first; next.done !== true; next = await reader.next()) yield next.value;
  } finally {
    await reader.return?.();
  }
}
