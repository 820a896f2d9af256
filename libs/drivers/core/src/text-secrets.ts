import { secretsIn, withSecrets, type EphemeralFile } from '#contracts';
import { LiftlockError } from '#kernel';
import { SecretStore, type SecretSources } from './secrets.js';

/** What `${LIFTLOCK_SECRET_<NAME>}` stands for: looked up anew each time, and kept nowhere. */
export class TextSecrets {
  private readonly store: SecretStore;

  /** @param service that is to know them, for messages */
  constructor(
    private readonly sources: SecretSources,
    private readonly service = 'the executor',
  ) {
    this.store = new SecretStore(sources);
  }

  /**
   * The files with their secrets in them.
   * @throws LiftlockError `misconfigured` naming every secret that is not known here, and where to put it.
   */
  async resolve(files: readonly EphemeralFile[]): Promise<EphemeralFile[]> {
    const values = await this.valuesIn(files.map(({ content }) => content));
    return files.map((file) => ({
      ...file,
      content: withSecrets(file.content, (name) => values.get(name) ?? ''),
    }));
  }

  /**
   * What the texts name, by the names of the secrets.
   * @throws LiftlockError `misconfigured` as `resolve` does.
   */
  async valuesIn(texts: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const names = new Set(texts.flatMap(secretsIn));
    const values = new Map<string, string>();
    for (const name of names) {
      // one line end at the end is the editor's, not the secret's
      const value = (await this.store.find(name))?.replace(/\r?\n$/, '');
      if (value !== undefined) values.set(name, value);
    }
    const unknown = [...names].filter((name) => !values.has(name));
    if (unknown.length > 0) {
      throw new LiftlockError(
        'misconfigured',
        `${this.service} does not know ${unknown.join(', ')}: give each to it as a variable of its environment, or as a file of that name in ${this.sources.folder}`,
        { details: { secrets: unknown } },
      );
    }
    return values;
  }
}
