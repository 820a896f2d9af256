/** Why something that a person asked for cannot be done now: what is, and the way out. */
export interface Refusal {
  readonly code: 'conflict' | 'invalid_request' | 'forbidden';
  readonly message: string;
}
