import type { DataTools, Tool } from './data-tools.js';

/** The words that start a tool, for a POSIX shell. */
export function call(tools: DataTools, tool: Tool): string {
  return tools.start[tool].map(quote).join(' ');
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** find(1) takes `-path` for a pattern. */
export function asPattern(path: string): string {
  return path.replace(/[\\*?[\]]/g, '\\$&');
}
