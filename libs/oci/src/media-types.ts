const OCI = 'application/vnd.oci';
const DOCKER = 'application/vnd.docker';

/** Of the image specification 1.1, and Docker's own before it, image manifest version 2 schema 2. */
export const MEDIA_TYPES = {
  ociManifest: `${OCI}.image.manifest.v1+json`,
  ociIndex: `${OCI}.image.index.v1+json`,
  ociConfig: `${OCI}.image.config.v1+json`,
  ociLayer: `${OCI}.image.layer.v1.tar`,
  ociEmpty: `${OCI}.empty.v1+json`,
  /** A manifest of artifacts that was in release candidates of 1.1; registries still hold some. */
  ociArtifact: `${OCI}.artifact.manifest.v1+json`,
  dockerManifest: `${DOCKER}.distribution.manifest.v2+json`,
  dockerList: `${DOCKER}.distribution.manifest.list.v2+json`,
  dockerConfig: `${DOCKER}.container.image.v1+json`,
  dockerForeignLayer: `${DOCKER}.image.rootfs.foreign.diff.tar.gzip`,
  cosignPayload: 'application/vnd.dev.cosign.simplesigning.v1+json',
} as const;

/** What is asked for when a manifest is wanted: a registry that may choose converts nothing thereby. */
export const ACCEPTED_MANIFESTS = [
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.dockerList,
  MEDIA_TYPES.dockerManifest,
  MEDIA_TYPES.ociArtifact,
].join(', ');

export function isIndexType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.ociIndex || mediaType === MEDIA_TYPES.dockerList;
}

export function isManifestType(mediaType: string): boolean {
  return (
    isIndexType(mediaType) ||
    mediaType === MEDIA_TYPES.ociManifest ||
    mediaType === MEDIA_TYPES.dockerManifest ||
    mediaType === MEDIA_TYPES.ociArtifact
  );
}

/** Layers that may not be pushed; who runs the image takes them from their `urls` (deprecated in 1.1, in use for Windows). */
export function isNonDistributable(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.dockerForeignLayer || mediaType.includes('.nondistributable.');
}
