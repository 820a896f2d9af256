import type { Issue } from '#kernel';
import { pointerOf } from '../json-pointer.js';
import type { Artifact } from './artifacts.js';
import type { ReleaseDocument } from './documents.js';
import { issuesOfChecks } from './issues-of-checks.js';

export function issuesOfRelease({ spec }: ReleaseDocument): Issue[] {
  const { components, bundle = {}, artifacts = {} } = spec;
  const issues: Issue[] = [];
  if (Object.keys(components).length + Object.keys(bundle).length === 0)
    issues.push({
      pointer: '/spec/components',
      message: 'names no component, and there is no bundle either',
    });
  for (const [name, version] of Object.entries(bundle)) {
    const pointer = pointerOf('spec', 'bundle', name);
    if (Object.hasOwn(components, name))
      issues.push({ pointer, message: `${name} stands in components, too: take one of them away` });
    const versions = Object.keys(artifacts[name] ?? {});
    if (versions.includes(version)) continue;
    const known = versions.length === 0 ? 'none' : versions.join(', ');
    issues.push({
      pointer,
      message: `there is no artifact for ${name} ${version}: spec.artifacts.${name} has ${known}`,
    });
  }
  for (const [name, component] of Object.entries(components)) {
    const pointer = pointerOf('spec', 'components', name);
    issues.push(
      ...issuesOfDigest(component, pointer),
      ...issuesOfChecks(component.checks, pointer),
    );
  }
  for (const [name, table] of Object.entries(artifacts))
    for (const [version, artifact] of Object.entries(table)) {
      const pointer = pointerOf('spec', 'artifacts', name, version);
      issues.push(
        ...issuesOfArtifact(artifact, pointer),
        ...issuesOfChecks(artifact.checks, pointer),
      );
    }
  return issues;
}

function issuesOfArtifact(artifact: Artifact, pointer: string): Issue[] {
  const { image, digest, id, archive, files, chart } = artifact;
  if (image !== undefined) return issuesOfDigest({ image, digest }, pointer);
  const without = Object.entries({ digest, id, archive }).find(([, value]) => value !== undefined);
  if (without !== undefined)
    return [
      {
        pointer: `${pointer}${pointerOf(without[0])}`,
        message: 'is of an image, and none is named',
      },
    ];
  return files === undefined && chart === undefined
    ? [{ pointer, message: 'names nothing: neither an image nor files nor a chart' }]
    : [];
}

/** One digest, in one place. */
function issuesOfDigest(
  { image, digest }: { readonly image: string; readonly digest?: string | undefined },
  pointer: string,
): Issue[] {
  return digest !== undefined && image.includes('@')
    ? [
        {
          pointer: `${pointer}${pointerOf('digest')}`,
          message: 'the image has a digest already: take one of them away',
        },
      ]
    : [];
}
