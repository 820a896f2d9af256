import { z } from 'zod';
import { name } from '../names.js';
import { secretReference } from '../plan/target-credentials.js';
import { imagePattern } from './image-pattern.js';

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
/** The distribution specification's `<name>`. */
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

const host = z.string().regex(HOST, 'must be a host, with its port where it has one: host:5000');

/** What a registry is reached with: references only, resolved in the service that reaches it. */
export const registryCredentials = z
  .strictObject({
    username: secretReference.optional(),
    password: secretReference.optional(),
    /** Certificates that the registry's may be signed by, besides those of the system. PEM. */
    ca: secretReference.optional(),
    /** Of the client, with its key. PEM. */
    certificate: secretReference.optional(),
    key: secretReference.optional(),
  })
  .superRefine((given, context) => {
    const pairs = [
      ['username', 'password'],
      ['certificate', 'key'],
    ] as const;
    for (const [one, other] of pairs) {
      if ((given[one] === undefined) === (given[other] === undefined)) continue;
      const missing = given[one] === undefined ? one : other;
      const message = `is missing: ${one} and ${other} go together`;
      context.addIssue({ code: 'custom', path: [missing], message });
    }
  });
export type RegistryCredentials = z.infer<typeof registryCredentials>;

const access = {
  /** Its certificate is not checked, and plain HTTP is spoken where it speaks no TLS. Default false. */
  insecure: z.boolean().optional(),
  /** Default: as `docker login` left it where the mirror service runs, else nobody in particular. */
  credentials: registryCredentials.optional(),
  /** Upper bound of what passes between it and one mirror process, both ways together; default: none. */
  bytesPerSecond: z.number().int().min(1).optional(),
};

/** How a registry is reached. */
export const registryAccess = z.strictObject(access);
export type RegistryAccess = z.infer<typeof registryAccess>;

/** `linux/amd64`, `linux/arm/v7` */
export const platformName = z
  .string()
  .regex(/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/, 'must be os/architecture, as linux/amd64');

/** The registry that targets pull from: images are brought there before anything is stopped. */
export const mirrorSpec = z.strictObject({
  registry: host,
  /** Path in the registry below which images are put; default: none. */
  prefix: z.string().max(200).regex(PATH, 'must be a path in lower case, as team/app').optional(),
  /** Whose mirror service reaches both registries; default `main`. */
  site: name.default('main'),
  ...access,
  /** How the registries are reached that images come from, by host. */
  sources: z.record(host, registryAccess).default({}),
  /** Images that are mirrored; the others are pulled from where their release says. Default: all. */
  images: z.array(imagePattern).min(1).default(['**']),
  /** Of an index of images only these; default: all. */
  platforms: z.array(platformName).default([]),
});
export type MirrorSpec = z.infer<typeof mirrorSpec>;

/** A PEM of a public key: what it holds is looked at by whoever verifies with it. */
const publicKey = z
  .string()
  .max(2_000)
  .regex(
    /^\s*-----BEGIN (?:RSA )?PUBLIC KEY-----[\s\S]+-----END (?:RSA )?PUBLIC KEY-----\s*$/,
    'must be the PEM of a public key, as cosign.pub holds it (-----BEGIN PUBLIC KEY-----)',
  );

/** Which images must be signed, and by whom. All rules hold that match an image. */
export const trustRule = z.strictObject({
  images: imagePattern,
  /** One of them must have signed the image's digest, as cosign does. */
  keys: z.array(publicKey).min(1).max(8),
  /** Default true. False: an image that is not signed is warned of in the plan. */
  required: z.boolean().default(true),
});
export type TrustRule = z.infer<typeof trustRule>;
