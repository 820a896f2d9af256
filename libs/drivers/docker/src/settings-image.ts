import type { ImageInfo } from './engine.js';

/** The environment that an image brings, as `NAME=value`. */
export function imageEntries(image: ImageInfo): string[] {
  return image.Config?.Env ?? [];
}
