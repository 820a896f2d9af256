import { z } from 'zod';
import { platformName, registryAccess, trustRule } from '../documents/mirror.js';
import { sha256 } from '../names.js';

export const mirrorImageInput = z.strictObject({
  /** As the release names it; with an archive the name in it. */
  source: z.string().min(1),
  /** A tar where the mirror service runs, instead of a registry. */
  archive: z.string().optional(),
  /** Of the manifest or index: what is copied, whatever the tag of the source means by then. */
  digest: sha256,
  /** `registry/repository` that it is copied to. */
  target: z.string().min(1),
  /** That it gets there, last. */
  tag: z.string().min(1),
  /** Of an index only these; empty: all. */
  platforms: z.array(platformName).default([]),
  /** How the registries are reached, by host. */
  access: z.record(z.string(), registryAccess).default({}),
  /** Rules that it must keep before its tag is written. */
  trust: z.array(trustRule).default([]),
});
export type MirrorImageInput = z.infer<typeof mirrorImageInput>;

const count = z.number().int().min(0);
export const mirrorImageOutput = z.object({
  digest: sha256,
  found: z.enum(['done_before', 'done_now']),
  /** Sent. */
  bytes: count,
  blobs: z.object({ copied: count, mounted: count, present: count }),
  /** Signatures, SBOMs and what else refers to it, at the mirror by now. */
  referrers: count,
});
