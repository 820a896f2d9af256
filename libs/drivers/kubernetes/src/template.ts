import { isDeepStrictEqual } from 'node:util';
import { STOPPED_BY } from './labels.js';
import type { EnvironmentVariable, PodContainer, PodTemplate } from './objects.js';

/** What a new version wants otherwise. */
export interface TemplateChange {
  readonly image: string;
  /** null removes one. */
  readonly env: Readonly<Record<string, string | null>>;
  /**
   * Default: as it is. Where the template has a command of its own, the whole of it, with its arguments; else the image's entrypoint is
   * given it, as `docker run IMAGE COMMAND…` does.
   */
  readonly command?: readonly string[] | undefined;
}

/** The template with one container changed, and nothing else. */
export function changedTemplate(
  template: PodTemplate,
  container: string,
  change: TemplateChange,
): PodTemplate {
  const containers = template.spec.containers.map((one) =>
    one.name === container ? changedContainer(one, change) : one,
  );
  return { ...template, spec: { ...template.spec, containers } };
}

function changedContainer(
  one: PodContainer,
  { image, env, command }: TemplateChange,
): PodContainer {
  const { env: before = [], command: commandBefore, args: argsBefore, ...rest } = one;
  const variables = changedEnvironment(before, env);
  const own = commandBefore !== undefined && command !== undefined;
  return {
    ...rest,
    image,
    ...(variables.length === 0 ? {} : { env: variables }),
    ...(commandBefore === undefined ? {} : { command: own ? command : commandBefore }),
    ...(own || (command ?? argsBefore) === undefined ? {} : { args: command ?? argsBefore }),
  } as PodContainer;
}

/** Each stays where it is, since one may refer to those before it. */
function changedEnvironment(
  before: readonly EnvironmentVariable[],
  changes: TemplateChange['env'],
): EnvironmentVariable[] {
  const changed = before.flatMap((one) => {
    if (!Object.hasOwn(changes, one.name)) return [one];
    const value = changes[one.name];
    return value === null || value === undefined ? [] : [{ name: one.name, value }];
  });
  const known = new Set(before.map(({ name }) => name));
  const added = Object.entries(changes).flatMap(([name, value]) =>
    known.has(name) || value === null ? [] : [{ name, value }],
  );
  return [...changed, ...added];
}

/** Whether a container is as a change makes it. What others add to a template on its way in (sidecars, defaults) is theirs. */
export function isSameContainer(one: PodContainer, other: PodContainer): boolean {
  return differences(one, other).length === 0;
}

/** The fields that we change, of those that differ. */
export function differences(one: PodContainer, other: PodContainer): string[] {
  const variables = (from: PodContainer): Record<string, unknown> =>
    Object.fromEntries(
      // an empty value is left out by the API
      (from.env ?? []).map(({ name, value, valueFrom }) => [name, valueFrom ?? value ?? '']),
    );
  const [before, now] = [variables(one), variables(other)];
  return [
    ...(one.image === other.image ? [] : ['image']),
    ...[...new Set([...Object.keys(before), ...Object.keys(now)])]
      .filter((name) => !isDeepStrictEqual(before[name], now[name]))
      .map((name) => `env ${name}`),
    ...(isDeepStrictEqual(one.command ?? [], other.command ?? []) ? [] : ['command']),
    ...(isDeepStrictEqual(one.args ?? [], other.args ?? []) ? [] : ['args']),
  ];
}

/** Of a DaemonSet, which has no number of pods: they may run nowhere. */
export function withoutNodes(template: PodTemplate, upgrade: string): PodTemplate {
  const { nodeSelector } = template.spec;
  return {
    ...template,
    spec: { ...template.spec, nodeSelector: { ...nodeSelector, [STOPPED_BY]: upgrade } },
  };
}

/** As it was before `withoutNodes`. */
export function withNodes(template: PodTemplate): PodTemplate {
  const { nodeSelector, ...spec } = template.spec;
  if (nodeSelector === undefined) return template;
  const { [STOPPED_BY]: _ours, ...others } = nodeSelector;
  const none = Object.keys(others).length === 0;
  return {
    ...template,
    spec: { ...spec, ...(none ? {} : { nodeSelector: others }) } as PodTemplate['spec'],
  };
}

export function runsNowhere({ spec: { nodeSelector } }: PodTemplate): boolean {
  return nodeSelector?.[STOPPED_BY] !== undefined;
}
