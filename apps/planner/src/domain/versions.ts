import semver, { type SemVer } from 'semver';

const LIKE_A_VERSION = /^v?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?([-+][0-9A-Za-z.+-]+)?$/;

/** Versions are few, and asked about for each instance again. */
const known = new Map<string, SemVer | undefined>();
/** By range, then by version. */
const fits = new Map<string, Map<string, boolean>>();
const MOST_KNOWN = 10_000;
/** So many ranges, with so many versions each. */
const MOST_RANGES = 1_000;

/** A version as semver orders it; `2.0` and `v2` are taken as 2.0.0. Undefined where semver has no place for it. */
export function semverOf(text: string): SemVer | undefined {
  if (known.has(text)) return known.get(text);
  if (known.size >= MOST_KNOWN) known.clear();
  const parsed = parse(text);
  known.set(text, parsed);
  return parsed;
}

function parse(text: string): SemVer | undefined {
  const found = LIKE_A_VERSION.exec(text);
  if (found === null) return undefined;
  const [, major, minor = '0', patch = '0', rest = ''] = found;
  return semver.parse(`${major}.${minor}.${patch}${rest}`) ?? undefined;
}

/** Whether a range (`>=4.0 <5`) can be read. */
export function isRange(text: string): boolean {
  return semver.validRange(text) !== null;
}

/** Whether a version lies in a range; undefined where it is none that semver knows. A pre-release counts as what it precedes. */
export function liesIn(version: string, range: string): boolean | undefined {
  const ofRange = fits.get(range) ?? new Map<string, boolean>();
  const before = ofRange.get(version);
  if (before !== undefined) return before;
  const parsed = semverOf(version);
  if (parsed === undefined) return undefined;
  if (fits.size >= MOST_RANGES) fits.clear();
  if (ofRange.size >= MOST_RANGES) ofRange.clear();
  const found = semver.satisfies(parsed, range, { includePrerelease: true });
  fits.set(range, ofRange.set(version, found));
  return found;
}

export const compareVersions = (a: SemVer, b: SemVer): number => semver.compare(a, b);
