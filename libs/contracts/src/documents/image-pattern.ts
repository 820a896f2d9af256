import { z } from 'zod';

/**
 * Which images are meant, by registry and repository without tag and digest (`docker.io/library/postgres`): `*` stands for anything
 * within one part of the name, `**` for anything.
 */
export const imagePattern = z
  .string()
  .max(300)
  .regex(
    /^[A-Za-z0-9._:/[\]*-]+$/,
    'must be a registry and a repository, such as quay.io/team/*, and ** for all images',
  );

/** @param name registry and repository, as the pattern has them */
export function matchesImage(pattern: string, name: string): boolean {
  // where in the name the pattern may have come to: an expression would try all ways there, and those of many stars never end
  let places: ReadonlySet<number> = new Set([0]);
  for (const part of pattern.split(/(\*\*|\*)/)) places = placesAfter(part, name, places);
  return places.has(name.length);
}

function placesAfter(part: string, name: string, before: ReadonlySet<number>): ReadonlySet<number> {
  const after = new Set<number>();
  if (part === '*' || part === '**') {
    let within = false;
    for (let at = 0; at <= name.length; at += 1) {
      within = before.has(at) || (within && (part === '**' || name[at - 1] !== '/'));
      if (within) after.add(at);
    }
  } else for (const at of before) if (name.startsWith(part, at)) after.add(at + part.length);
  return after;
}
