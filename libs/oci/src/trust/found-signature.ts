/** What was signed, the signature, and which digests the signed words are about. */
export interface FoundSignature {
  readonly message: Buffer;
  readonly signature: Buffer;
  readonly digests: readonly string[];
}
