export { ArchiveSource } from './archive/archive-source.js';
export { type ArchivedImage } from './archive/tar-entry.js';
export { DockerConfigStore, type CredentialStore } from './auth/credential-store.js';
export { LOGIN_VARIABLES, loginSettings } from './auth/login-settings.js';
export { type BlobClaim, type BlobClaims, type WantedBlob } from './copy/blob-claims.js';
export { Copier, type CopyJob, type CopyResult } from './copy/copier.js';
export { type ImageSource } from './copy/image-source.js';
export { formatPlatform, parsePlatform, type PlatformFilter } from './copy/platforms.js';
export {
  ProgressTotals,
  type BlobOutcome,
  type CopyProgress,
  type Totals,
} from './copy/progress.js';
export { RegistrySource } from './copy/registry-source.js';
export { type Descriptor, type Platform } from './descriptor.js';
export { digestBytes, isDigest, parseDigest, type Digest } from './digest.js';
export { type Credentials, type ProxySettings, type RegistrySettings } from './http/settings.js';
export { parseLocation, type Location } from './location.js';
export { parseManifest, type Manifest, type RawManifest } from './manifest.js';
export { MEDIA_TYPES } from './media-types.js';
export {
  apiHostOf,
  formatReference,
  parseReference,
  parseRepository,
  targetOf,
  type Reference,
} from './reference.js';
export { cosignTags, referrersOf, referrersTag } from './registry/referrers.js';
export { requireSignature, trustedKey, type TrustedKey } from './trust/cosign.js';
export { Registries, type RegistriesOptions } from './registry/registries.js';
export { RegistryClient } from './registry/registry-client.js';
export { Repository } from './registry/repository.js';
