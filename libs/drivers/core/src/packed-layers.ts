import type { PackedLayer } from './driver.js';

/**
 * What a layer takes unpacked, as a multiple of its packed size: what programs and their libraries usually do. Only for a warning, since
 * one that holds packed things takes no more than it has packed.
 */
const UNPACKED = 2.5;

/** Bytes as they come from a registry. */
export function packedBytes(layers: readonly PackedLayer[]): number {
  return layers.reduce((sum, { bytes }) => sum + bytes, 0);
}

/**
 * Bytes that layers may take on a disk.
 * @param keepsPacked whether they are kept packed besides
 */
export function likelyBytes(layers: readonly PackedLayer[], keepsPacked: boolean): number {
  const unpacked = layers.reduce(
    (sum, { bytes, isCompressed }) => sum + bytes * (isCompressed ? UNPACKED : 1),
    0,
  );
  return unpacked + (keepsPacked ? packedBytes(layers) : 0);
}
