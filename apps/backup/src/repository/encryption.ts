import type { SecretStore } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { FileSeal } from './age-format.js';

export interface EncryptionOptions {
  /** Public keys (`age1…`) that new backups are encrypted to; none: they are not encrypted. */
  readonly recipients: readonly string[];
  /** References (`env:LIFTLOCK_SECRET_…`) to the keys that open them: identities, as `age-keygen` writes them. */
  readonly keys: readonly string[];
}

interface Identity {
  readonly reference: string;
  readonly text: string;
  readonly recipient: string;
}

/** Bytes at the end of an empty file of age: nonce and tag. */
const EMPTY_PAYLOAD = 32;

/** To whom backups are encrypted, and with what they are opened: keys by reference, looked up anew each time and kept nowhere. */
export class Encryption {
  constructor(
    private readonly options: EncryptionOptions = { recipients: [], keys: [] },
    private readonly secrets?: SecretStore,
  ) {}

  /** Public keys that new backups are encrypted to; nothing when they are not encrypted. */
  get recipients(): readonly string[] | undefined {
    return this.options.recipients.length === 0 ? undefined : this.options.recipients;
  }

  /**
   * A new key for one file, sealed for every recipient.
   * @throws LiftlockError `misconfigured` for a recipient that is none, and when this service could not read what it is about to write: no
   *   upgrade may begin on a backup that cannot be restored
   */
  async newSeal(what: string): Promise<FileSeal> {
    const { Encrypter } = await import('age-encryption');
    const encrypter = new Encrypter();
    for (const recipient of this.options.recipients) {
      try {
        encrypter.addRecipient(recipient);
      } catch (error) {
        throw new LiftlockError(
          'misconfigured',
          `${recipient} in LIFTLOCK_BACKUP_RECIPIENTS is no public key of age (age1…)`,
          { cause: error },
        );
      }
    }
    let fileKey = new Uint8Array();
    // one more that writes nothing into the header, and is told the key
    encrypter.addRecipient({
      wrapFileKey: (key) => {
        fileKey = Uint8Array.from(key);
        return [];
      },
    });
    const empty = await encrypter.encrypt(new Uint8Array());
    const header = empty.subarray(0, empty.length - EMPTY_PAYLOAD);
    await this.fileKeyOf(header, what, this.options.recipients);
    return { header, fileKey };
  }

  /**
   * @param what for messages
   * @param recipients that it is said to be encrypted to
   * @throws LiftlockError `misconfigured`, naming what is encrypted and the references to the keys, when none of them opens it
   */
  async fileKeyOf(
    header: Uint8Array,
    what: string,
    recipients: readonly string[],
  ): Promise<Uint8Array> {
    const { Decrypter } = await import('age-encryption');
    const problems: string[] = [];
    for (const reference of this.options.keys) {
      try {
        for (const identity of await this.identitiesOf(reference)) {
          const decrypter = new Decrypter();
          decrypter.addIdentity(identity.text);
          try {
            return await decrypter.decryptHeader(header);
          } catch {
            problems.push(`${reference} is the key of ${identity.recipient}`);
          }
        }
      } catch (error) {
        // another one may open it
        problems.push(LiftlockError.from(error).message);
      }
    }
    throw new LiftlockError(
      'misconfigured',
      `${what} is encrypted to ${recipients.join(', ')}, and ` +
        (problems.length === 0
          ? 'LIFTLOCK_BACKUP_KEYS of the backup service names no key'
          : `no key that LIFTLOCK_BACKUP_KEYS of the backup service names opens it: ${problems.join('; ')}`) +
        '; give the backup service the key, nothing was touched',
      { details: { keys: [...this.options.keys], recipients: [...recipients] } },
    );
  }

  private async identitiesOf(reference: string): Promise<Identity[]> {
    const text = await this.secrets?.get(reference);
    const lines = (text ?? '').split('\n').map((line) => line.trim());
    const found = lines.filter((line) => line !== '' && !line.startsWith('#'));
    const { identityToRecipient } = await import('age-encryption');
    return Promise.all(
      found.map(async (line): Promise<Identity> => {
        try {
          return { reference, text: line, recipient: await identityToRecipient(line) };
        } catch {
          // what it says of it is left out: it may say the key
          throw new LiftlockError(
            'misconfigured',
            `what ${reference} stands for is no key of age (AGE-SECRET-KEY-…, as age-keygen writes it)`,
            { details: { reference } },
          );
        }
      }),
    );
  }
}
