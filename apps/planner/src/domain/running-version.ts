/** A component in a version, with what it requires of others in that version. */
export interface RunningVersion {
  readonly component: string;
  readonly version: string;
  readonly requires: Readonly<Record<string, string>>;
}
