const DIGEST = /@(sha256:[0-9a-f]{64})$/;

/** The digest that a reference pins. */
export function digestIn(reference: string): string | undefined {
  // most have none, and are asked for it again and again
  return reference.includes('@') ? DIGEST.exec(reference)?.[1] : undefined;
}
