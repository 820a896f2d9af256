import type { ResticPlace } from '../restic/restic-place.js';
import type { S3Bucket } from './s3-bucket.js';
import type { S3Options } from './s3-options.js';

/** restic's repository in a bucket: restic speaks S3 by itself, with the keys of this service. */
export class S3Place implements ResticPlace {
  readonly repository: string;
  readonly options: readonly string[];

  /** @param prefix of its keys, with `/` at its end */
  constructor(
    private readonly bucket: S3Bucket,
    private readonly of: S3Options,
    private readonly prefix: string,
  ) {
    const { endpoint = 'https://s3.amazonaws.com', pathStyle } = of;
    this.repository = `s3:${endpoint.replace(/\/+$/, '')}/${of.bucket}/${prefix.slice(0, -1)}`;
    this.options = ['--option', `s3.bucket-lookup=${pathStyle ? 'path' : 'dns'}`];
  }

  async environment(): Promise<Readonly<Record<string, string>>> {
    const { accessKeyId, secretAccessKey } = await this.bucket.keys();
    return {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_DEFAULT_REGION: this.of.region,
    };
  }

  async names(folder: string): Promise<string[]> {
    const prefix = `${this.prefix}${folder}/`;
    const found: string[] = [];
    for await (const { key } of this.bucket.list(prefix)) found.push(key.slice(prefix.length));
    return found;
  }

  read(file: string): Promise<Buffer | undefined> {
    return this.bucket.get(this.prefix + file);
  }
}
