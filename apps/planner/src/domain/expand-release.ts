import type { Artifact, ReleaseDocument } from '#contracts';
import type { PlanningDocuments, ReleaseComponent, Stored } from './planning-documents.js';

/**
 * Releases as the planner works with them: what the bundle expands to stands in `components`, each with its own version, and an image
 * whose digest is told beside it is pinned by it. Generation and digest stay those of the document.
 */
export function expanded(documents: PlanningDocuments): PlanningDocuments {
  const { release, releases } = documents;
  return {
    ...documents,
    release: release === undefined ? undefined : expandedRelease(release),
    releases: releases.map(expandedRelease),
  };
}

const known = new WeakMap<ReleaseDocument, ReleaseDocument>();

function expandedRelease(stored: Stored<ReleaseDocument>): Stored<ReleaseDocument> {
  const document = known.get(stored.document) ?? expandedDocument(stored.document);
  known.set(stored.document, document);
  return document === stored.document ? stored : { ...stored, document };
}

function expandedDocument(document: ReleaseDocument): ReleaseDocument {
  const { bundle = {}, artifacts = {}, components } = document.spec;
  const found = Object.entries(bundle).flatMap(([name, version]) => {
    const component = componentOf(artifacts[name]?.[version], version);
    return component === undefined ? [] : [[name, component] as const];
  });
  const told = Object.values(components);
  const isPlain = found.length === 0 && told.every(({ digest }) => digest === undefined);
  if (isPlain) return document;
  const all = Object.fromEntries(
    [...Object.entries(components), ...found].map(([name, component]) => [name, pinned(component)]),
  );
  return { ...document, spec: { ...document.spec, components: all } };
}

/** Nothing where the version is no image: a Docker host cannot run it. */
function componentOf(
  artifact: Artifact | undefined,
  version: string,
): ReleaseComponent | undefined {
  if (artifact?.image === undefined) return undefined;
  const { files: _files, chart: _chart, image, ...rest } = artifact;
  return { ...rest, image, version };
}

function pinned(component: ReleaseComponent): ReleaseComponent {
  const { digest, image } = component;
  if (digest === undefined) return component;
  return { ...component, image: withDigest(image, digest) };
}

/** `repository@sha256:…` of `repository:tag`. */
export function withDigest(image: string, digest: string): string {
  const [name = image] = image.split('@');
  const tag = name.indexOf(':', name.lastIndexOf('/') + 1);
  return `${tag < 0 ? name : name.slice(0, tag)}@${digest}`;
}

/** Why a component of the release has no image, where the bundle names it. */
export function withoutImage(
  { metadata, spec }: ReleaseDocument,
  name: string,
): string | undefined {
  const version = spec.bundle?.[name];
  const artifact = version === undefined ? undefined : spec.artifacts?.[name]?.[version];
  if (version === undefined || artifact === undefined) return undefined;
  const has = [
    ...Object.keys(artifact.files ?? {}),
    ...(artifact.chart === undefined ? [] : ['a chart']),
  ];
  return `release ${metadata.name} has for ${name} ${version} no image but ${has.join(', ')}, and a container needs one: add spec.artifacts.${name}.${version}.image`;
}
