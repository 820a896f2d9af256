import { isObjectWork, type ApplicationDocument, type Plan } from '#contracts';
import type { InstanceName } from './hook-works.js';
import { instanceNamed, type Instance } from './instances.js';
import { forgetObjectsStep, isRecorded, withWayBack } from './object-hooks.js';
import { pointerOf } from './problems.js';
import type { StepMaker } from './step-maker.js';

/** The step that a hook of the whole application is. */
export function idOf(moment: 'before' | 'after', { name }: { readonly name: string }): string {
  return `application/${moment}-${name}`;
}

/** @throws Error where there is none: then the application's hooks were refused */
export function instanceThere(instances: readonly Instance[], name: InstanceName): Instance {
  const found = instanceNamed(instances, name);
  if (found === undefined) throw new Error(`the application has no ${name.component} there`);
  return found;
}

/** What its hooks kept of objects goes on every end, where any of them had begun. */
export function forgetObjectsOfWhole(
  maker: StepMaker,
  { metadata, spec }: ApplicationDocument,
  instances: readonly Instance[],
): Plan['finalize'] {
  const { before = [], after = [] } = spec.hooks ?? {};
  const kept = (['before', 'after'] as const).flatMap((moment) =>
    (moment === 'before' ? before : after).map(withWayBack).flatMap((hook) =>
      isObjectWork(hook) && isRecorded(hook)
        ? [
            {
              ...{ step: idOf(moment, hook), work: hook },
              instance: instanceThere(instances, hook.instance),
            },
          ]
        : [],
    ),
  );
  return [...Map.groupBy(kept, ({ instance }) => instance)].map(([instance, all]) => {
    const { target, component, container, id: of } = instance;
    const about = {
      id: `finalize/application/${of}-forget-objects`,
      title: `Forget what was kept of objects of ${metadata.name} at ${of}`,
      ...{ target, component: component.name },
      pointer: pointerOf('applications', metadata.name, 'spec', 'hooks'),
    };
    const step = forgetObjectsStep(maker, about, { instance, container }, all);
    return { ...step, when: all.map((one) => one.step) };
  });
}
