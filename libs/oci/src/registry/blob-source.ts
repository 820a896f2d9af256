import type { Descriptor } from '../descriptor.js';

/** Where a blob's bytes come from, as often as need be and from any byte on. */
export interface BlobSource {
  /** For messages. */
  readonly name: string;
  /** Whoever asks it waits for a round trip. Default false. */
  readonly isRemote?: boolean;
  /** The digest is the reader's to check; a source mends its own cuts. */
  read(
    blob: Pick<Descriptor, 'digest' | 'size'>,
    options: { readonly offset?: number; readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<Buffer>;
}
