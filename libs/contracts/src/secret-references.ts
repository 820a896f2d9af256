import { z } from 'zod';

/** What stands in a document, a plan, a message for a secret: only the service that uses it ever knows more. */
const REFERENCE = /\$\{(LIFTLOCK_SECRET_[A-Z0-9_]+)\}/g;
/** What was meant to be one. */
const BEGINNING = /\$\{\s*LIFTLOCK_SECRET/gi;

/** The variables that a text refers to as `${LIFTLOCK_SECRET_<NAME>}`, each once, in order. */
export function secretsIn(text: string): string[] {
  return [...new Set([...text.matchAll(REFERENCE)].map(([, name]) => name ?? ''))];
}

/** The text with each reference replaced by what `secret` gives for it. */
export function withSecrets(text: string, secret: (name: string) => string): string {
  return text.replace(REFERENCE, (_reference, name: string) => secret(name));
}

/** A text that may hold references; one that is misspelt would be written as it stands, and is refused. */
export const textWithSecrets = z
  .string()
  .refine(
    (text) => (text.match(BEGINNING) ?? []).length === (text.match(REFERENCE) ?? []).length,
    'has a reference to a secret that is not of the form ${LIFTLOCK_SECRET_<NAME>}, with NAME of A-Z, 0-9 and _',
  );
