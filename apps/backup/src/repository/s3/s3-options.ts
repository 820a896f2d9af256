/** Where an S3-compatible store is, and how it is talked to. */
export interface S3Options {
  readonly bucket: string;
  /** What every key begins with, without `/` at either end; empty: nothing. */
  readonly prefix: string;
  /** Default: Amazon's, of the region. */
  readonly endpoint?: string | undefined;
  readonly region: string;
  /** `<endpoint>/<bucket>/…`, and not `<bucket>.<endpoint>/…`. */
  readonly pathStyle: boolean;
  /** Reference (`env:LIFTLOCK_SECRET_…`) to `<access key id>:<secret access key>`. */
  readonly credentials: string;
  /** Bytes of a part of an upload, at least 5 MiB; more where an archive would else have too many of them. */
  readonly partBytes: number;
  /** Milliseconds without a byte after which a request is given up and tried again; default 60 s. */
  readonly idleMs?: number | undefined;
  /** Requests that are made for one answer; default 5. */
  readonly attempts?: number | undefined;
}

/** Of any S3 (its API reference, "Amazon S3 multipart upload limits"). */
export const MOST_PARTS = 10_000;
