import type { ApplicationDocument, EnvironmentDocument, InstanceWithData } from '#contracts';
import { LiftlockError } from '#kernel';
import { containerOf, keptNameOf, targetsOf } from './instances.js';

/**
 * Where a component's data lies in an environment: on each of its targets that the environment has, or on the one that is named.
 * @throws LiftlockError `not_found` naming what the documents have not; `unplannable` where the component has no data
 */
export function instancesWithData(
  environment: EnvironmentDocument,
  application: ApplicationDocument,
  asked: { readonly component: string; readonly target?: string | undefined },
): InstanceWithData[] {
  const { name } = application.metadata;
  const component = application.spec.components.find((one) => one.name === asked.component);
  if (component === undefined) {
    throw new LiftlockError(
      'not_found',
      `application ${name} has no component ${asked.component}: it has ${application.spec.components.map((one) => one.name).join(', ')}`,
    );
  }
  const { data } = component;
  if (data === undefined) {
    throw new LiftlockError(
      'unplannable',
      `component ${component.name} of ${name} has no data to back up: name its paths in its document (data.paths)`,
    );
  }
  const targets = targetsOf(environment);
  const there = component.targets.filter((one) => targets.has(one));
  const wanted = there.filter((one) => asked.target === undefined || one === asked.target);
  if (wanted.length === 0) {
    throw new LiftlockError(
      'not_found',
      `component ${component.name} of ${name} is not on ${asked.target ?? 'any target'} of ${environment.metadata.name}${there.length === 0 ? '' : `: it is on ${there.join(', ')}`}`,
    );
  }
  return wanted.flatMap((one): InstanceWithData[] => {
    const target = targets.get(one)?.target;
    if (target === undefined) return [];
    const container = containerOf(component, target);
    const { hooks, keepAside, consistency, engine, folder, paths } = data;
    const { stopTimeoutSeconds } = component;
    return [
      {
        instance: `${component.name}@${one}`,
        ...{ target, container, keptName: keptNameOf(container, 1), paths, consistency },
        ...(folder === undefined ? {} : { folder }),
        ...(hooks === undefined ? {} : { hooks }),
        ...(keepAside === undefined ? {} : { keepAside }),
        ...(engine === undefined ? {} : { engine }),
        ...(stopTimeoutSeconds === undefined ? {} : { stopTimeoutSeconds }),
      },
    ];
  });
}
