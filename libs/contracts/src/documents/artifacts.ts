import semver from 'semver';
import { z } from 'zod';
import { check } from '../actions/checks.js';
import { name } from '../names.js';
import { checksum } from './checksum.js';

/** Ranges of versions that other components must have while this one runs: `aas: ">=4.0 <5"`, as semver writes them. */
export const requirements = z.record(
  name,
  z.string().refine((range) => semver.validRange(range) !== null, 'is not a range of versions'),
);

export const versionText = z.string().min(1).max(128);

const imageFields = {
  /** The manifest's digest in its registry, as `docker buildx imagetools inspect` shows it: the image is pinned by it. */
  digest: checksum.optional(),
  /** Image ID that the reference must turn out to be. */
  id: checksum.optional(),
  /** A `docker save` tar that the image is loaded from, where the mirror service runs. */
  archive: z.string().startsWith('/').optional(),
  env: z.record(z.string(), z.string().nullable()).default({}),
  command: z.array(z.string()).optional(),
  /** Instead of the component's: what this version requires of others. */
  requires: requirements.optional(),
  /** Instead of the component's checks, for this version. */
  checks: z.array(check).optional(),
};

export const releaseComponent = z.strictObject({
  /** `name:tag` or `repository@sha256:…` */
  image: z.string().min(1),
  /** The component's own version, where it is not the release's: a bundle's version stands for those of its components. */
  version: versionText.optional(),
  ...imageFields,
});

/** What one version of a component is made of: an image, files, a chart. */
const artifact = z.strictObject({
  /** `name:tag` or `repository@sha256:…`: what a Docker host runs. */
  image: z.string().min(1).optional(),
  ...imageFields,
  /** By what they are: `kubeadm`, `cniplugins`. For drivers that bring files to nodes. */
  files: z
    .record(
      z.string().regex(/^[A-Za-z0-9][\w.-]{0,62}$/, 'must be letters, digits, _, . and -'),
      z.strictObject({ url: z.url({ protocol: /^https?$/ }), sha256: checksum }),
    )
    .optional(),
  /** For drivers that install charts. */
  chart: z
    .strictObject({
      name: z.string().min(1),
      version: versionText,
      repository: z.url({ protocol: /^(https?|oci)$/ }).optional(),
    })
    .optional(),
});
export type Artifact = z.infer<typeof artifact>;

/** Lookup tables: by component, then by that component's version. */
export const artifactTables = z.record(name, z.record(versionText, artifact));
/** What a bundle's version expands to: each component's own. */
export const bundle = z.record(name, versionText);
