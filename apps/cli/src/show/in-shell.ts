/** In double quotes, so that the shell puts its own `${LIFTLOCK_SECRET_…}` in, and nothing else. */
export function inShell(text: string): string {
  const escaped = text.replace(/["\\`]|\$(?!\{LIFTLOCK_SECRET_[A-Z0-9_]+\})/g, (one) => `\\${one}`);
  return `"${escaped}"`;
}
