import {
  ArchiveSource,
  parseReference,
  RegistrySource,
  type ImageSource,
  type Registries,
} from '#oci';

/** Where an image comes from: the archive, else the registry that its reference names. */
export async function openSource(
  registries: Registries,
  { source, archive }: { readonly source: string; readonly archive?: string | undefined },
  signal: AbortSignal,
): Promise<ImageSource> {
  if (archive !== undefined) return ArchiveSource.open(archive, signal);
  return new RegistrySource(registries.repository(parseReference(source)));
}
