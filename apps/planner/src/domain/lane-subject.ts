import type { Instance } from './instances.js';
import type { ReleaseComponent } from './planning-documents.js';
import type { SeenContainer, WantedImage } from './wanted-image.js';

/** An instance that is to be upgraded, with all that was found out about it. */
export interface LaneSubject {
  readonly instance: Instance;
  readonly container: SeenContainer & { readonly containerId: string };
  readonly image: WantedImage;
  readonly from: string;
  readonly to: string;
  /** The version that runs, where a release is known for its image. */
  readonly oldVersion: ReleaseComponent | undefined;
  /** Name of the release that runs, where one is known. */
  readonly fromRelease: string | undefined;
  /** What an earlier hop of the same upgrade makes and this one begins with: `container` has no observed ID then. */
  readonly earlier?: { readonly image: WantedImage };
  /** Of the hooks' jobs that name one, by reference. */
  readonly jobImages?: ReadonlyMap<string, WantedImage> | undefined;
  /** Digests of what its hooks apply, by `manifestKey`. */
  readonly manifests?: ReadonlyMap<string, string> | undefined;
  readonly chains?: LegChains | undefined;
}

/** ServiceTemplateChains that let k0rdent go along an edge, and back. */
export interface LegChains {
  readonly forward?: string | undefined;
  readonly back?: string | undefined;
}

/** One instance in one hop. */
export interface Leg {
  /** As it was observed: what the first leg of an instance begins with. */
  readonly subject: LaneSubject;
  readonly instance: Instance;
  readonly image: WantedImage;
  readonly from: string;
  readonly to: string;
  readonly oldVersion: ReleaseComponent | undefined;
  readonly chains?: LegChains | undefined;
  /** Of the same instance, in an earlier hop. */
  readonly before: Leg | undefined;
  /** Whether none of its steps can be too large. */
  readonly fits: boolean;
}
