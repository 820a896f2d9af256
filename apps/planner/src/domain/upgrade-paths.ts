import { LiftlockError } from '#kernel';
import type { Observation, QueryReply } from '#contracts';
import { ChainGraph } from './chain-graph.js';
import { waysFrom } from './chain-path.js';
import { expanded } from './expand-release.js';
import { releaseOf } from './images.js';
import {
  containerOf,
  keptNameOf,
  targetsOf,
  type Instance,
  type UpgradeExtent,
} from './instances.js';
import { observeQuestions } from './observe-questions.js';
import type { PlanningDocuments } from './planning-documents.js';
import { pointerOf } from './problems.js';
import { seenTargetsOf } from './seen-target.js';

export type UpgradePaths = QueryReply<'upgrade-paths'>;

/**
 * All that runs of an application, whichever release will be asked for.
 * @throws LiftlockError `not_found` naming the document that is missing; `unplannable` when the application has no release.
 */
export function extentOfAll(
  names: { readonly environment: string; readonly application: string },
  documents: PlanningDocuments,
): UpgradeExtent {
  const { environment, application, releases, chains } = expanded(documents);
  if (environment === undefined)
    throw new LiftlockError('not_found', `there is no environment ${names.environment}`);
  if (application === undefined)
    throw new LiftlockError('not_found', `there is no application ${names.application}`);
  const release = releases.at(-1);
  if (release === undefined)
    throw new LiftlockError(
      'unplannable',
      `there is no release of ${names.application}: apply its documents first`,
    );
  const targets = targetsOf(environment.document);
  const instances = application.document.spec.components.flatMap((component, index) =>
    component.targets.flatMap((name): Instance[] => {
      const target = targets.get(name)?.target;
      const wanted = releases
        .map(({ document }) => document.spec.components[component.name])
        .findLast((one) => one !== undefined);
      if (target === undefined || wanted === undefined) return [];
      const container = containerOf(component, target);
      return [
        {
          ...{ id: `${component.name}@${name}`, component, target, container, wanted },
          keptName: keptNameOf(container, 1),
          pointer: pointerOf('applications', names.application, 'spec', 'components', index),
          releasePointer: pointerOf('releases', release.document.metadata.name),
        },
      ];
    }),
  );
  const graph =
    application.document.spec.chains === undefined ? undefined : ChainGraph.of(chains, releases);
  const found = { environment, application, release, releases, targets };
  return { ...found, instances, leftOut: [], graph, chains };
}

/** What each component may be upgraded to now, and by which way: before anyone asks. Instances of one version stand together. */
export function upgradePathsOf(
  extent: UpgradeExtent,
  observations: readonly Observation[],
): UpgradePaths {
  const seenTargets = seenTargetsOf(observeQuestions(extent), observations);
  const items = new Map<string, UpgradePaths['items'][number]>();
  for (const instance of extent.instances) {
    const seen = seenTargets.get(instance.target.name);
    const container = seen?.container(instance.container);
    const release =
      seen === undefined || container === undefined
        ? undefined
        : releaseOf(instance, container, seen, extent.releases);
    const version =
      release?.spec.version ?? (container === undefined ? 'not installed' : 'unknown');
    const key = `${instance.component.name} ${release?.metadata.name ?? version}`;
    const known = items.get(key);
    if (known !== undefined) known.targets.push(instance.target.name);
    else
      items.set(key, {
        component: instance.component.name,
        version,
        targets: [instance.target.name],
        availableUpgrades: release === undefined ? [] : upgradesFrom(extent, release.metadata.name),
      });
  }
  return { items: [...items.values()] };
}

type Upgrade = UpgradePaths['items'][number]['availableUpgrades'][number];

function upgradesFrom({ graph, releases }: UpgradeExtent, from: string): Upgrade[] {
  if (graph === undefined) {
    return releases
      .filter(({ document }) => document.metadata.name !== from)
      .map(({ document: { metadata, spec } }) => ({
        release: metadata.name,
        upgradePath: [spec.version],
      }));
  }
  return waysFrom(graph, from).map((nodes) => ({
    release: nodes.at(-1) ?? from,
    upgradePath: nodes.slice(1).map((node) => graph.label(node)),
  }));
}
