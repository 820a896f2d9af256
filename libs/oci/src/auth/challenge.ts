/** One challenge of `WWW-Authenticate` (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const SCHEME = /^\s*,*\s*([A-Za-z][A-Za-z0-9._-]*)(?=\s|,|$)/;
const PARAMETER = /^[\s,]*([A-Za-z][A-Za-z0-9._-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/;

/** A header may hold several challenges, and there may be several headers. */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap((header) => {
    const found: { scheme: string; parameters: Record<string, string> }[] = [];
    let rest = header;
    while (rest.trim() !== '') {
      const parameter = PARAMETER.exec(rest);
      const last = found.at(-1);
      if (parameter !== null && last !== undefined) {
        const [all, name = '', quoted, bare] = parameter;
        last.parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
        rest = rest.slice(all.length);
        continue;
      }
      const scheme = SCHEME.exec(rest);
      if (scheme === null) break;
      found.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters: {} });
      rest = rest.slice(scheme[0].length);
    }
    return found;
  });
}
