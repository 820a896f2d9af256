/** Name of the folder, among those of an application's upgrades, that restic keeps its archives in. */
export const RESTIC = 'restic';
/** The same, from the folder of one backup: by its manifest it is found wherever the whole is moved to. */
export const RESTIC_FROM_BACKUP = `../../${RESTIC}` as const;

/** Where a repository of restic lies in a store, and how its program gets there. */
export interface ResticPlace {
  /** As `restic --repo` takes it: a folder, or `s3:<endpoint>/<bucket>/<prefix>`. */
  readonly repository: string;
  /** Arguments that the place needs: nothing secret is in them. */
  readonly options: readonly string[];
  /** Keys to the store, for the environment of restic, and nowhere else. */
  environment(): Promise<Readonly<Record<string, string>>>;
  /** Names of what lies in one of its folders; none where there is no such folder. */
  names(folder: string): Promise<string[]>;
  /** @returns nothing when there is no such file */
  read(file: string): Promise<Buffer | undefined>;
}
