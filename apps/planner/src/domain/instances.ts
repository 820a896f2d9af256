import {
  findCycle,
  type ApplicationDocument,
  type EnvironmentDocument,
  type ReleaseDocument,
  type StepTarget,
  parseService,
  parseWorkload,
  recordText,
  servicePlace,
  serviceRecordText,
  serviceText,
  workloadText,
  type UpgradeRequest,
} from '#contracts';
import { ChainGraph } from './chain-graph.js';
import { partedBy, refuseHooksOfLeftOut } from './exclusion.js';
import { expanded, withoutImage } from './expand-release.js';
import { isNamed, type InstanceName } from './hook-works.js';
import type {
  ComponentSpec,
  PlanningDocuments,
  ReleaseComponent,
  Stored,
} from './planning-documents.js';
import { refuseUnfit, refuseUnfitHooks } from './platform-refusals.js';
import { pointerOf, pointerToken, Problems } from './problems.js';
import { isService, refuseSharedWaves } from './services.js';

export interface PlannedTarget {
  readonly target: StepTarget;
  readonly maxUpgrades: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** One component on one target, as the documents want it; nothing has been looked at yet. */
export interface Instance {
  /** `<component>@<target>` */
  readonly id: string;
  readonly component: ComponentSpec;
  readonly target: StepTarget;
  readonly container: string;
  /** Name under which the old container is kept until the bake ends. */
  readonly keptName: string;
  readonly wanted: ReleaseComponent;
  /** Where the documents ask for it. */
  readonly pointer: string;
  readonly releasePointer: string;
}

/** What an upgrade is about: the documents found, and the instances that they ask for. */
export interface UpgradeExtent {
  readonly environment: Stored<EnvironmentDocument>;
  readonly application: Stored<ApplicationDocument>;
  readonly release: Stored<ReleaseDocument>;
  readonly releases: ReadonlyArray<Stored<ReleaseDocument>>;
  readonly targets: ReadonlyMap<string, PlannedTarget>;
  readonly instances: readonly Instance[];
  /** Those that the request leaves as they are. */
  readonly leftOut: readonly Instance[];
  /** The chains that the application names; undefined: any release may follow any. */
  readonly graph: ChainGraph | undefined;
  readonly chains: PlanningDocuments['chains'];
}

/** Reads the instances out of the documents; what does not fit goes to the problems, and there is no extent. */
export function extentOf(
  request: UpgradeRequest,
  asStored: PlanningDocuments,
  problems: Problems,
): UpgradeExtent | undefined {
  const documents = expanded(asStored);
  const { environment, application, release } = documents;
  if (environment === undefined)
    missing(problems, '/environment', 'environment', request.environment);
  if (application === undefined)
    missing(problems, '/application', 'application', request.application);
  if (release === undefined) missing(problems, '/release', 'release', request.release);
  if (environment === undefined || application === undefined || release === undefined)
    return undefined;

  const found = { environment, application, release, releases: documents.releases };
  const targets = targetsOf(environment.document);
  checkRelease(found, problems);
  const { components } = application.document.spec;
  const cycle = findCycle(components);
  if (cycle !== undefined) {
    problems.add(
      'unplannable',
      pointerOf('applications', application.document.metadata.name, 'spec', 'components'),
      `dependsOn goes in a circle: ${cycle.join(' → ')}; take one of these away`,
    );
  }
  const all = components.flatMap((component, index) =>
    instancesOf(found, component, index, targets, problems),
  );
  refuseDoubles(all, problems);
  refuseSharedWaves(all, problems);
  refuseUnfitHooks(application.document, all, problems);
  const parted = partedBy(request, all, problems);
  refuseHooksOfLeftOut(application.document, parted.leftOut, problems);
  const graph = graphOf(application.document, documents, problems);
  return problems.any
    ? undefined
    : { ...found, targets, ...parted, graph, chains: documents.chains };
}

function graphOf(
  { metadata, spec }: ApplicationDocument,
  { chains, releases }: PlanningDocuments,
  problems: Problems,
): ChainGraph | undefined {
  spec.chains?.forEach((name, index) => {
    // what is in a cluster was looked for there
    if (typeof name !== 'string') return;
    const pointer = pointerOf('applications', metadata.name, 'spec', 'chains', index);
    const found = chains.filter(({ document }) => document.metadata.name === name);
    if (found.length === 0)
      problems.add('not_found', pointer, `there is no chain ${name}: apply its document first`);
    for (const { document } of found) {
      if (document.kind !== 'UpgradeChain' || document.spec.application === metadata.name) continue;
      problems.add(
        'unplannable',
        pointer,
        `chain ${name} is of application ${document.spec.application}, not of ${metadata.name}: name a chain of ${metadata.name}`,
      );
    }
  });
  return spec.chains === undefined ? undefined : ChainGraph.of(chains, releases);
}

/** The instance as another release wants it, in the hop of this number (from 1). */
export function instanceAt(
  instance: Instance,
  release: Stored<ReleaseDocument>,
  hopNumber: number,
): Instance | undefined {
  const wanted = release.document.spec.components[instance.component.name];
  if (wanted === undefined) return undefined;
  return {
    ...instance,
    wanted,
    keptName: keptNameOf(instance.container, hopNumber),
    releasePointer: pointerIn(release.document, instance.component.name),
  };
}

const places = new WeakMap<ReleaseDocument, string>();

/** Where a release speaks of a component; where its components stand is known once, since a large fleet asks for it often. */
function pointerIn(release: ReleaseDocument, component: string): string {
  const known = places.get(release);
  const place = known ?? pointerOf('releases', release.metadata.name, 'spec', 'components');
  if (known === undefined) places.set(release, place);
  return `${place}/${pointerToken(component)}`;
}

/** The one that a hook of the whole application names; undefined where none of these is it. */
export function instanceNamed(
  instances: readonly Instance[],
  name: InstanceName,
): Instance | undefined {
  return instances.find((one) => isNamed(one, name));
}

/** Each hop keeps what it found, of a workload how it was, under a name of its own. */
export function keptNameOf(container: string, hopNumber: number): string {
  const workload = parseWorkload(container);
  if (workload !== undefined) return recordText(workload, hopNumber);
  const service = parseService(container);
  if (service !== undefined) return serviceRecordText(service, hopNumber);
  return `${container}-liftlock-old${hopNumber === 1 ? '' : `-${hopNumber}`}`;
}

function missing(problems: Problems, pointer: string, kind: string, name: string): void {
  problems.add('not_found', pointer, `there is no ${kind} ${name}: apply its document first`);
}

export function targetsOf(environment: EnvironmentDocument): Map<string, PlannedTarget> {
  return new Map(
    environment.spec.targets.map(({ maxUpgrades, labels, ...target }) => [
      target.name,
      { target, maxUpgrades, labels: labels ?? {} },
    ]),
  );
}

type Found = Pick<UpgradeExtent, 'environment' | 'application' | 'release'>;

function checkRelease({ application, release }: Found, problems: Problems): void {
  const { metadata, spec } = release.document;
  const wanted = application.document.metadata.name;
  if (spec.application !== wanted) {
    problems.add(
      'unplannable',
      '/release',
      `release ${metadata.name} is of application ${spec.application}, not of ${wanted}: ask for a release of ${wanted}`,
    );
    return;
  }
  const known = new Set(application.document.spec.components.map(({ name }) => name));
  const inBundle = new Set(Object.keys(spec.bundle ?? {}));
  const unknown = [...Object.keys(spec.components), ...inBundle].filter((name) => !known.has(name));
  for (const name of [...new Set(unknown)].toSorted()) {
    problems.add(
      'unplannable',
      pointerOf(
        'releases',
        metadata.name,
        'spec',
        inBundle.has(name) ? 'bundle' : 'components',
        name,
      ),
      `release ${metadata.name} names component ${name}, which application ${wanted} has not: correct the name, or add the component`,
    );
  }
}

function instancesOf(
  { environment, application, release }: Found,
  component: ComponentSpec,
  index: number,
  targets: ReadonlyMap<string, PlannedTarget>,
  problems: Problems,
): Instance[] {
  const place = [
    'applications',
    application.document.metadata.name,
    'spec',
    'components',
    index,
  ] as const;
  const releaseName = release.document.metadata.name;
  const releasePointer = pointerIn(release.document, component.name);
  const wanted = release.document.spec.components[component.name];
  if (wanted === undefined) {
    problems.add(
      'unplannable',
      releasePointer,
      withoutImage(release.document, component.name) ??
        `release ${releaseName} has no image for component ${component.name}: add spec.components.${component.name}.image`,
    );
  }
  const drivers = new Set(
    component.targets.flatMap((name) => targets.get(name)?.target.driver ?? []),
  );
  return component.targets.flatMap((name, at): Instance[] => {
    const pointer = pointerOf(...place, 'targets', at);
    const target = targets.get(name)?.target;
    if (target === undefined) {
      problems.add(
        'unplannable',
        pointer,
        `component ${component.name} runs on target ${name}, which environment ${environment.document.metadata.name} has not ` +
          `(it has: ${[...targets.keys()].join(', ')}): correct the name, or add the target`,
      );
      return [];
    }
    refuseUnfit(component, target, drivers, pointerOf(...place), problems);
    if (wanted === undefined) return [];
    const container = containerOf(component, target);
    return [
      {
        id: `${component.name}@${name}`,
        component,
        target,
        container,
        keptName: keptNameOf(container, 1),
        wanted,
        pointer,
        releasePointer,
      },
    ];
  });
}

/** What steps and observations name an instance by. */
export function containerOf(
  { name, container, workload, service }: ComponentSpec,
  { driver }: StepTarget,
): string {
  if (driver === 'kubernetes' && service !== undefined)
    return serviceText(servicePlace(service, name));
  // one without either is refused
  if (driver !== 'kubernetes' || workload === undefined) return container ?? name;
  return workloadText({
    namespace: workload.namespace,
    kind: workload.kind,
    name: workload.name ?? name,
    container: workload.container,
  });
}

/** What a person calls it. */
export function placeText({ container }: Pick<Instance, 'container'>): string {
  const service = parseService(container);
  if (service !== undefined)
    return `service ${service.releaseNamespace}/${service.name} of ${service.holder} ${service.namespace}/${service.object}`;
  const workload = parseWorkload(container);
  return workload === undefined
    ? `container ${container}`
    : `${workload.kind} ${workload.namespace}/${workload.name}`;
}

/** Where something runs, whatever the target is called: two targets may lead to one engine. */
export function placeOf(target: StepTarget): string {
  const known = engines.get(target);
  if (known !== undefined) return known;
  const place = `${target.driver} ${target.site} ${target.endpoint}`;
  engines.set(target, place);
  return place;
}

/** A target has many instances. */
const engines = new WeakMap<StepTarget, string>();

function refuseDoubles(instances: readonly Instance[], problems: Problems): void {
  const seen = new Map<string, Instance>();
  for (const instance of instances) {
    // of a workload all containers change together, whichever of them is meant
    const key = `${placeOf(instance.target)} ${placeText(instance)}`;
    const other = seen.get(key);
    if (other === undefined) {
      seen.set(key, instance);
      continue;
    }
    problems.add(
      'unplannable',
      instance.pointer,
      instance.target.driver === 'kubernetes'
        ? `${other.id} and ${instance.id} are the same ${placeText(instance)} at ${instance.target.endpoint}: ` +
            `give each component a ${isService(instance) ? 'service' : 'workload'} of its own, and name each cluster by one target only`
        : `${other.id} and ${instance.id} are the same container ${instance.container} at ${instance.target.endpoint}: ` +
            'give each component a container of its own, and name each engine by one target only',
    );
  }
}
