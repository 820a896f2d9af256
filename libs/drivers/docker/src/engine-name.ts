/** Which engine, for messages. */
export interface EngineName {
  readonly name: string;
  readonly endpoint: string;
}
