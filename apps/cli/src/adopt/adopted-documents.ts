import type { z } from 'zod';
import {
  API_VERSION,
  type applicationDocument,
  type Check,
  type check,
  type EnvironmentDocument,
  type environmentDocument,
  type Observation,
  type ObservationRequest,
  type releaseDocument,
} from '#contracts';
import { nameOf } from './container-url.js';

type Observed = Observation['containers'][number];
type Target = ObservationRequest['target'];
type CheckInput = z.input<typeof check>;

export interface Adoption {
  readonly environment: string;
  /** As it is stored already, where it is. */
  readonly stored: EnvironmentDocument | undefined;
  readonly application: string;
  readonly target: Target;
  readonly container: Observed;
}

export interface AdoptedDocuments {
  /** Nothing where the stored one has the target already. */
  readonly environment: z.input<typeof environmentDocument> | undefined;
  readonly application: z.input<typeof applicationDocument>;
  /** Of the version that runs. */
  readonly release: z.input<typeof releaseDocument>;
  /** Folders of the host that it writes to: a person must say whether they are its data. */
  readonly writtenFolders: readonly string[];
}

/** Documents by which the container can be upgraded: only what was seen, and nothing that Liftlock assumes anyway. */
export function adoptedDocuments(adoption: Adoption): AdoptedDocuments {
  const { application, container, target } = adoption;
  const written = (kind: 'volume' | 'bind'): string[] =>
    container.mounts
      .filter((mount) => mount.kind === kind && mount.writable)
      .map(({ destination }) => destination)
      .toSorted();
  const paths = written('volume');
  const version = versionOf(container);
  const component = componentName(container);
  return {
    environment: environmentOf(adoption),
    application: {
      apiVersion: API_VERSION,
      kind: 'Application',
      metadata: { name: application },
      spec: {
        components: [
          {
            name: component,
            targets: [target.name],
            ...(component === container.container ? {} : { container: container.container }),
            ...(paths.length === 0 ? {} : { data: { paths } }),
            checks: checksOf(container, hostOf(target.endpoint)),
          },
        ],
      },
    },
    release: {
      apiVersion: API_VERSION,
      kind: 'Release',
      metadata: { name: `${application}-${releaseSuffix(version)}` },
      spec: {
        application,
        version,
        components: {
          [component]: {
            image: container.imageReference ?? container.imageId ?? '',
            // a tag may name another image tomorrow
            ...(container.imageId === undefined ? {} : { id: container.imageId }),
          },
        },
      },
    },
    writtenFolders: written('bind'),
  };
}

export function componentName({ container }: Observed): string {
  return nameOf(container, 'web');
}

/** As part of a release's name. */
export function releaseSuffix(version: string): string {
  return (
    version
      .toLowerCase()
      .replaceAll(/[^a-z0-9.]+/g, '-')
      .replaceAll(/^[-.]+|[-.]+$/g, '') || 'adopted'
  );
}

/** The stored one with one more target, so that nothing of it is lost when it is applied. */
export function environmentOf({
  environment,
  stored,
  target,
}: Pick<Adoption, 'environment' | 'stored' | 'target'>): AdoptedDocuments['environment'] {
  const { name, driver, site, ...reached } = target;
  const wanted = { name, driver, ...(site === 'main' ? {} : { site }), ...reached };
  if (stored === undefined) {
    return {
      apiVersion: API_VERSION,
      kind: 'Environment',
      metadata: { name: environment },
      spec: { targets: [wanted] },
    };
  }
  const { targets } = stored.spec;
  if (targets.some((one) => one.name === name)) return undefined;
  return { ...stored, spec: { ...stored.spec, targets: [...targets, wanted] } };
}

/** The tag; of an image without one the beginning of its ID, or of its digest. */
export function versionOf({ imageReference = '', imageId = '' }: Observed): string {
  const tag = /:([\w][\w.-]{0,127})$/.exec(imageReference.replace(/@.*$/, ''))?.[1];
  if (tag !== undefined && !/^[0-9a-f]{64}$/.test(tag)) return tag;
  const digest = /@sha256:([0-9a-f]{12})/.exec(imageReference)?.[1];
  return imageId.replace(/^sha256:/, '').slice(0, 12) || (digest ?? 'adopted');
}

/** Its own health check, and its published ports; where it has neither, that it runs. */
function checksOf({ health, ports }: Observed, host: string): CheckInput[] {
  const checks: CheckInput[] = health === 'none' ? [] : [{ type: 'health' }];
  for (const { protocol, hostIp, hostPort } of ports)
    if (protocol === 'tcp') checks.push({ type: 'tcp', host: hostIp ?? host, port: hostPort });
  return checks.length === 0 ? [{ type: 'running', stableSeconds: STABLE_SECONDS }] : checks;
}

/** What ends soon after its start is no version that works. */
const STABLE_SECONDS: Check['stableSeconds'] = 5;

/** Where the ports of an engine are reached from the verifier of its site. */
function hostOf(endpoint: string): string {
  const host = /^(?:ssh|tcp):\/\/(?:[^/@]*@)?(\[[^\]]+\]|[^/:]+)/.exec(endpoint)?.[1];
  return host?.replaceAll(/[[\]]/g, '') ?? '127.0.0.1';
}
