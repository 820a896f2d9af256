/**
 * A command that is given variables. The API has no place for them, and a command line is no place for secrets: it stands in the API server's
 * logs and in the node's list of processes. So a shell of the container's own reads them, and becomes the command.
 */
const READ = [
  'while IFS= read -r line && [ -n "$line" ]; do',
  // the letter keeps line ends at the end of a value
  'value=$(printf "%bx" "$line"); value=${value%x}; export "$value"; done',
  // what it was read from has no end
  'exec "$@" < /dev/null',
].join('\n');

/** @returns the command, and what it is to read */
export function withEnvironment(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): { readonly command: readonly string[]; readonly input?: string } {
  const lines = Object.entries(env).map(([name, value]) => escaped(`${name}=${value}`));
  if (lines.length === 0) return { command };
  return { command: ['sh', '-c', READ, 'sh', ...command], input: `${lines.join('\n')}\n\n` };
}

/** As `printf %b` reads it. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
