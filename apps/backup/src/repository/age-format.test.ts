import { Decrypter, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { SecretStore } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { decryptFrames, encryptFrames, NotAsEncrypted } from './age-format.js';
import { Encryption } from './encryption.js';

const FRAME = 64 * 1024;
const REFERENCE = 'env:LIFTLOCK_SECRET_BACKUP_KEY';
const OTHER = 'env:LIFTLOCK_SECRET_OTHER_KEY';

let key: string;
let otherKey: string;
let recipient: string;
let encryption: Encryption;
beforeAll(async () => {
  key = await generateIdentity();
  otherKey = await generateIdentity();
  recipient = await identityToRecipient(key);
  encryption = withKeys([REFERENCE]);
});

function withKeys(keys: string[], recipients = [recipient]): Encryption {
  const variables = {
    LIFTLOCK_SECRET_BACKUP_KEY: `# created: long ago\n# public key: ${recipient}\n${key}\n`,
    LIFTLOCK_SECRET_OTHER_KEY: otherKey,
    LIFTLOCK_SECRET_NO_KEY: 'hunter2',
  };
  return new Encryption({ recipients, keys }, new SecretStore({ variables }));
}

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length)
    yield await Promise.resolve(Buffer.from(bytes.subarray(at, at + length)));
}

async function all(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const found: Buffer[] = [];
  for await (const chunk of chunks) found.push(chunk);
  return Buffer.concat(found);
}

const open = (bytes: Uint8Array, length = 7_000): Promise<Buffer> =>
  all(
    decryptFrames(pieces(bytes, length), (header) =>
      encryption.fileKeyOf(header, 'it', [recipient]),
    ),
  );
const seal = async (bytes: Uint8Array, length = 7_000): Promise<Buffer> =>
  all(encryptFrames(pieces(bytes, length), await encryption.newSeal('it')));

describe('what is encrypted', () => {
  it.each([0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME + 5])(
    'is read by the author’s implementation, and what that writes is read here: %i bytes',
    async (length) => {
      const bytes = randomBytes(length);
      const decrypter = new Decrypter();
      decrypter.addIdentity(key);
      expect(Buffer.from(await decrypter.decrypt(await seal(bytes))).equals(bytes)).toBe(true);
      const encrypter = new Encrypter();
      encrypter.addRecipient(recipient);
      const theirs = await encrypter.encrypt(bytes);
      for (const piece of [1_000, FRAME, 10 * FRAME])
        expect((await open(theirs, piece)).equals(bytes)).toBe(true);
      expect((await open(await seal(bytes))).equals(bytes)).toBe(true);
    },
  );

  it('is refused with one bit flipped, wherever it is', async () => {
    const sealed = await seal(randomBytes(300));
    const unseen: number[] = [];
    for (let at = 0; at < sealed.length; at += 1) {
      const flipped = Buffer.from(sealed);
      flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
      const outcome = await open(flipped).then(
        () => 'read',
        () => 'refused',
      );
      if (outcome === 'read') unseen.push(at);
    }
    expect(unseen).toEqual([]);
  });

  it('is refused when it is cut, also between two frames, and when something follows', async () => {
    const sealed = await seal(randomBytes(2 * FRAME));
    const frames = sealed.length - 2 * (FRAME + 16);
    for (const end of [0, 10, frames - 1, frames, frames + FRAME + 16, sealed.length - 1])
      await expect(open(sealed.subarray(0, end))).rejects.toThrow(NotAsEncrypted);
    await expect(open(Buffer.concat([sealed, Buffer.alloc(1)]))).rejects.toThrow(NotAsEncrypted);
  });
});

describe('the keys', () => {
  const messageOf = async (attempt: Promise<unknown>): Promise<string> => {
    const error = await attempt.then(
      () => undefined,
      (thrown: unknown) => LiftlockError.from(thrown),
    );
    expect(error?.code).toBe('misconfigured');
    expect(JSON.stringify(error?.toShape())).not.toContain('hunter2');
    return error?.message ?? '';
  };

  it('of which none opens a backup are named by their references, with whose they are and what it needs', async () => {
    const { header } = await encryption.newSeal('it');
    const find = (keys: string[]): Promise<string> =>
      messageOf(withKeys(keys).fileKeyOf(header, '/b/manifest.json', [recipient]));
    expect(await find([])).toMatch(/^\/b\/manifest\.json is encrypted to age1.*names no key/);
    expect(await find([OTHER])).toContain(
      `${OTHER} is the key of ${await identityToRecipient(otherKey)}`,
    );
    expect(await find(['env:LIFTLOCK_SECRET_NONE'])).toMatch(
      /does not know LIFTLOCK_SECRET_NONE: give it as a variable/,
    );
    expect(await find(['env:LIFTLOCK_SECRET_NO_KEY'])).toMatch(
      /env:LIFTLOCK_SECRET_NO_KEY stands for is no key of age/,
    );
    // one that opens it is enough, whatever is with the others
    const several = withKeys(['env:LIFTLOCK_SECRET_NONE', OTHER, REFERENCE]);
    await several.fileKeyOf(header, '/b/manifest.json', [recipient]);
  });

  it('that could not read what is about to be written end it before it begins', async () => {
    expect(await messageOf(withKeys([OTHER]).newSeal('/b'))).toContain(OTHER);
    expect(await messageOf(withKeys([REFERENCE], ['age1none']).newSeal('/b'))).toMatch(
      /age1none in LIFTLOCK_BACKUP_RECIPIENTS/,
    );
  });
});
