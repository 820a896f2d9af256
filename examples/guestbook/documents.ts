import type { z } from 'zod';
import type { applicationDocument, environmentDocument, releaseDocument } from '#contracts';
import { GUESTBOOK_VERSIONS, type GuestbookVersion } from './start-script.js';

export interface GuestbookPlace {
  /** Of the container, the volume and the images; unless said otherwise also of the environment and the application. */
  readonly name: string;
  readonly port: number;
  /** Address of this machine that it is published on; default 127.0.0.1. */
  readonly address?: string | undefined;
  /** The host under which the verifier reaches it; default the address. Inside of a container, this machine has another one. */
  readonly seenAs?: string | undefined;
  /** `unix:///path` of the Docker Engine's socket. */
  readonly engineHost: string;
}

/** What a version may take that comes up, also on a machine that is busy with other things. */
const COMES_SECONDS = 60;
/** Of the version that never answers: whoever watches waits no longer for nothing. */
const NEVER_SECONDS = 6;

export interface GuestbookDocuments {
  readonly environment: z.input<typeof environmentDocument>;
  readonly application: z.input<typeof applicationDocument>;
  readonly releases: readonly z.input<typeof releaseDocument>[];
}

export function imageOf({ name }: Pick<GuestbookPlace, 'name'>, version: GuestbookVersion): string {
  return `${name}:${version}`;
}

/** All that Liftlock is told about a guest book. */
export function guestbookDocuments(
  place: GuestbookPlace,
  { environment = place.name, application = place.name } = {},
): GuestbookDocuments {
  const { name, port, engineHost, address = '127.0.0.1', seenAs = address } = place;
  const apiVersion = 'liftlock.dev/v1' as const;
  return {
    environment: {
      apiVersion,
      kind: 'Environment',
      metadata: { name: environment },
      spec: { targets: [{ name: 'host', driver: 'docker', endpoint: engineHost }] },
    },
    application: {
      apiVersion,
      kind: 'Application',
      metadata: { name: application },
      spec: {
        components: [
          { name: 'web', targets: ['host'], container: name, data: { paths: ['/data'] } },
        ],
      },
    },
    releases: GUESTBOOK_VERSIONS.map((version) => ({
      apiVersion,
      kind: 'Release',
      metadata: { name: `${application}-${version}` },
      spec: {
        application,
        version,
        components: {
          web: {
            image: imageOf(place, version),
            checks: [
              {
                type: 'http',
                url: `http://${seenAs}:${port}/version`,
                body: `^${version.replace('.', '\\.')}`,
                deadlineSeconds: version === '3.0' ? NEVER_SECONDS : COMES_SECONDS,
                intervalMs: 100,
              },
            ],
          },
        },
      },
    })),
  };
}
