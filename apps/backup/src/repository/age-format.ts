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
  const encrypt = (frame: readonly Buffer[], isLast: boolean): Buffer[] => {
    const cipher = createCipheriv('chacha20-poly1305', key, counter.next(isLast), {
      authTagLength: TAG,
    });
    const sealed = frame.map((piece) => cipher.update(piece));
    return [...sealed, cipher.final(), cipher.getAuthTag()];
  };
  const frames = new Frames(FRAME);
  for await (const chunk of source) {
    for (const frame of frames.push(chunk)) yield* encrypt(frame, false);
  }
  yield* encrypt(frames.rest(), true);
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
  const decrypt = (frame: readonly Buffer[], isLast: boolean): Buffer[] => {
    const { pieces, tag } = splitTag(frame);
    if (key === undefined || tag.length < TAG) throw new NotAsEncrypted('it is cut off');
    const decipher = createDecipheriv('chacha20-poly1305', key, counter.next(isLast), {
      authTagLength: TAG,
    });
    decipher.setAuthTag(tag);
    const opened = pieces.map((piece) => decipher.update(piece));
    try {
      // nothing of it is handed on before
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
    for (const frame of frames.push(payload)) yield* decrypt(frame, false);
  }
  const last = decrypt(frames.rest(), true);
  // age writes none that is empty unless it is the only one
  if (counter.count > 1 && last.every(({ length }) => length === 0))
    throw new NotAsEncrypted('it is cut off');
  yield* last;
}

/** What a frame says, and the tag that it ends with. */
function splitTag(frame: readonly Buffer[]): { readonly pieces: Buffer[]; readonly tag: Buffer } {
  const last = frame.at(-1) ?? Buffer.alloc(0);
  // one that is torn over two pieces is seldom
  const whole = last.length < TAG ? Buffer.concat(frame) : last;
  const at = Math.max(0, whole.length - TAG);
  const before = last.length < TAG ? [] : frame.slice(0, -1);
  return { pieces: [...before, whole.subarray(0, at)], tag: whole.subarray(at) };
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

/**
 * Cuts a stream into frames of one length, and holds the last one back: only the end of the stream tells which it is. A frame is the pieces
 * that it came in: to put them together costs as much as to encrypt them.
 */
class Frames {
  private held: Buffer[] = [];
  private bytes = 0;

  constructor(private readonly length: number) {}

  *push(chunk: Buffer): Generator<readonly Buffer[]> {
    let rest = chunk;
    while (this.bytes + rest.length > this.length) {
      const missing = this.length - this.bytes;
      if (missing > 0) this.held.push(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      const frame = this.held;
      this.held = [];
      this.bytes = 0;
      yield frame;
    }
    if (rest.length === 0) return;
    this.held.push(rest);
    this.bytes += rest.length;
  }

  rest(): readonly Buffer[] {
    return this.held;
  }
}
