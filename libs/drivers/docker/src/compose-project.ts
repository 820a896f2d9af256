import { isAbsolute, resolve } from 'node:path';

const LABEL = 'com.docker.compose.';

/** Labels of Compose, of version 1 and of those since; source: docker/compose, `pkg/api/labels.go`, and 1.29's `const.py`. */
export const COMPOSE_LABELS = {
  configHash: `${LABEL}config-hash`,
  /** Image ID; since version 2. */
  image: `${LABEL}image`,
} as const;

/** What the labels of a container tell about the Compose project that it belongs to. */
export interface ComposeService {
  readonly project: string;
  readonly service: string;
  /** Absolute paths on the machine where Compose ran; nothing when it was fed otherwise, or by a version before 1.25. */
  readonly files: readonly string[];
  readonly workingFolder: string | undefined;
  readonly environmentFiles: readonly string[];
  /** Of the Compose that made it; its first number tells the family. */
  readonly version: string | undefined;
  readonly configHash: string | undefined;
}

/** Nothing for what Compose did not make, or made by `docker compose run`: that it never looks at again. */
export function composeServiceOf(
  labels: Readonly<Record<string, string>> | undefined,
): ComposeService | undefined {
  const of = (name: string): string | undefined => labels?.[`${LABEL}${name}`];
  const project = of('project');
  const service = of('service');
  if (project === undefined || service === undefined) return undefined;
  if (of('oneoff')?.toLowerCase() === 'true') return undefined;
  const workingFolder = of('project.working_dir');
  const paths = (list: string | undefined): string[] =>
    (list ?? '')
      .split(',')
      .filter((path) => path !== '' && path !== '-')
      .map((path) => (isAbsolute(path) ? path : resolve(workingFolder ?? '/', path)));
  return {
    project,
    service,
    workingFolder,
    files: paths(of('project.config_files')),
    environmentFiles: paths(of('project.environment_file')),
    version: of('version'),
    configHash: of('config-hash'),
  };
}
