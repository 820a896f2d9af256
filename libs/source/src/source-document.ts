/** A value that came from a text, and where each part of it stands there. */
export interface SourceDocument {
  readonly value: unknown;
  /** Line from 1 of what a JSON Pointer names, of its key where it has one; that of the nearest parent when it is not there. */
  lineOf(pointer: string): number | undefined;
}
