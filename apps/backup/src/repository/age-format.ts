import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** Of https://age-encryption.org/v1, section "Payload": what follows the header. */
const FRAME = 64 * 1024;
const TAG = 16;
const NONCE = 16;
/** Bytes after which a header that has not ended is none: each recipient takes some hundred, of the largest kind some thousand. */
const MOST_HEADER = 256 * 1024;

/** What is not as it was encrypted: cut, changed, or never of this format. */
export class NotAsEncrypted extends Error {
  override readonly name = 'NotAsEncrypted';
}

/** How one file is encrypted. */
export interface FileSeal {
  /** With the file's key in it, for each recipient. */
  readonly header: Uint8Array;
  readonly fileKey: Uint8Array;
}

/**
 * Encrypts as age does. The frames are OpenSSL's work and not the library's, which does this part in JavaScript: by far the most of it, and
 * many times slower.
 */
export async function* encryptFrames(
  source: AsyncIterable<Buffer>,
  { header, fileKey }: FileSeal,
): AsyncGenerator<Buffer> {
  const nonce = randomBytes(NONCE);
  const key = payloadKey(fileKey, nonce);
  yield Buffer.concat([header, nonce]);
  const counter = new FrameCounter();
  const encrypt = (frame: Buffer, isLast: boolean): Buffer => {
    const cipher = createCipheriv('chacha20-poly1305', key, counter.next(isLast), {
      authTagLength: TAG,
    });
    const sealed = cipher.update(frame);
    cipher.final();
    return Buffer.concat([sealed, cipher.getAuthTag()]);
  };
  const frames = new Frames(FRAME);
  for await (const chunk of source) {
    for (const frame of frames.push(chunk)) yield encrypt(frame, false);
  }
  yield encrypt(frames.rest(), true);
}

/**
 * @param fileKeyOf the file's key, from its header
 * @throws NotAsEncrypted as soon as a frame is not as it was written, or the last one is missing; all that came before it was
 */
export async function* decryptFrames(
  source: AsyncIterable<Buffer>,
  fileKeyOf: (header: Uint8Array) => Promise<Uint8Array>,
): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0);
  let key: Buffer | undefined;
  const counter = new FrameCounter();
  const frames = new Frames(FRAME + TAG);
  const decrypt = (frame: Buffer, isLast: boolean): Buffer => {
    if (key === undefined || frame.length < TAG) throw new NotAsEncrypted('it is cut off');
    const decipher = createDecipheriv('chacha20-poly1305', key, counter.next(isLast), {
      authTagLength: TAG,
    });
    decipher.setAuthTag(frame.subarray(frame.length - TAG));
    const opened = decipher.update(frame.subarray(0, frame.length - TAG));
    try {
      decipher.final();
    } catch (error) {
      throw new NotAsEncrypted('it is cut off, or changed', { cause: error });
    }
    return opened;
  };
  for await (const chunk of source) {
    let payload = chunk;
    if (head !== undefined) {
      head = Buffer.concat([head, chunk]);
      const end = headerEnd(head);
      if (end === undefined || head.length < end + NONCE) {
        if (head.length > MOST_HEADER) throw new NotAsEncrypted('it has no header of age');
        continue;
      }
      const fileKey = await fileKeyOf(head.subarray(0, end));
      key = payloadKey(fileKey, head.subarray(end, end + NONCE));
      payload = head.subarray(end + NONCE);
      head = undefined;
    }
    for (const frame of frames.push(payload)) yield decrypt(frame, false);
  }
  const last = decrypt(frames.rest(), true);
  // age writes none that is empty unless it is the only one
  if (last.length === 0 && counter.count > 1) throw new NotAsEncrypted('it is cut off');
  yield last;
}

/** Where the header ends: after the line that begins with `---`. */
function headerEnd(bytes: Buffer): number | undefined {
  const line = bytes.indexOf('\n---');
  const end = line === -1 ? -1 : bytes.indexOf('\n', line + 1);
  return end === -1 ? undefined : end + 1;
}

function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
}

/** Eleven bytes that count, and one that says which frame is the last. */
class FrameCounter {
  count = 0;

  next(isLast: boolean): Buffer {
    const nonce = Buffer.alloc(12);
    // six bytes hold more frames than there are disks for
    nonce.writeUIntBE(this.count, 5, 6);
    nonce.writeUInt8(isLast ? 1 : 0, 11);
    this.count += 1;
    return nonce;
  }
}

/** Cuts a stream into frames of one length, and holds the last one back: only the end of the stream tells which it is. */
class Frames {
  private held: Buffer = Buffer.alloc(0);

  constructor(private readonly length: number) {}

  *push(chunk: Buffer): Generator<Buffer> {
    let bytes = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    while (bytes.length > this.length) {
      yield bytes.subarray(0, this.length);
      bytes = bytes.subarray(this.length);
    }
    this.held = bytes;
  }

  rest(): Buffer {
    return this.held;
  }
}
