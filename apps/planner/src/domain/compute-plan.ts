import { LiftlockError } from '#kernel';
import {
  API_VERSION,
  type Change,
  type Hop,
  type ImageQuestion,
  type Observation,
  type Plan,
  type UpgradeRequest,
  type Wave,
} from '#contracts';
import type { Leg } from './lane-subject.js';
import { LaneDraft } from './lane-draft.js';
import { ApplicationHookPlanner } from './application-hooks.js';
import { checkCompatibility } from './compatibility.js';
import { bracketsAround } from './around.js';
import { chainWarnings } from './cluster-chains.js';
import { applicationJobImages, jobImagesOf } from './hook-images.js';
import { refuseImpossibleHooks } from './lane-hooks.js';
import { itineraryOf, type Itinerary } from './itinerary.js';
import { componentVersion, momentsOf } from './moments.js';
import { extentOf, type UpgradeExtent } from './instances.js';
import { imageSteps } from './image-steps.js';
import { MirroredImages, type ExaminedImages } from './mirrored-images.js';
import { imageQuestions } from './observe-questions.js';
import { documentsOf, type PlanningDocuments } from './planning-documents.js';
import { emergencyWarnings, refuseNoEmergency } from './emergency.js';
import { effectivePolicy, startConditionsOf } from './policy.js';
import { Problems } from './problems.js';
import { StepMaker } from './step-maker.js';
import { survey, type Survey } from './survey.js';
import type { TagAnswers } from './tag-answers.js';
import { Warnings } from './warnings.js';
import { tierNumbersOf, wavesOf } from './waves.js';

export interface PlanningInput {
  readonly request: UpgradeRequest;
  readonly documents: PlanningDocuments;
  /** Of each target that the application runs on: the answers to `observeQuestions`. */
  readonly observations: readonly Observation[];
  /** What registries said of the tags of `tagsToResolve`. */
  readonly tags?: TagAnswers;
  /** What was found out about images, as far as an earlier look asked for it. */
  readonly examined?: ExaminedImages;
}

export type Planned = { readonly ok: Plan } | { readonly refused: LiftlockError };

/** A plan that may lack what is not known of images yet. */
export interface Attempt {
  readonly planned: Planned;
  /** To be found out; with the answers among `examined` there may be a plan. Empty: `planned` counts. */
  readonly unexamined: readonly ImageQuestion[];
}

/** The plan, or everything that is in its way. The same input gives the same plan, to the byte of its canonical JSON. */
export function computePlan(input: PlanningInput): Planned {
  return attemptPlan(input).planned;
}

export function attemptPlan(input: PlanningInput): Attempt {
  const { documents, examined } = input;
  const mirrored = new MirroredImages(documents.environment?.document.spec ?? {}, examined);
  const planned = planWith(input, mirrored);
  return { planned, unexamined: [...mirrored.unexamined.values()] };
}

function planWith(
  { request, documents, observations, tags }: PlanningInput,
  mirrored: MirroredImages,
): Planned {
  const problems = new Problems();
  const subject = `${request.application} in ${request.environment} to ${request.release}`;
  const extent = extentOf(request, documents, problems);
  if (extent === undefined) return { refused: problems.toError(subject) };
  refuseNoEmergency(request, extent, problems);
  if (problems.any) return { refused: problems.toError(subject) };
  const seen = survey(extent, imageQuestions(extent), observations, mirrored, problems, tags);
  if (problems.any) return { refused: problems.toError(subject) };
  const { version } = extent.release.document.spec;
  if (seen.subjects.length === 0) {
    const out = seen.leftOut.map(({ instance }) => instance.id).join(', ');
    const what = `all of ${request.application}${out === '' ? '' : `, but for what is left out (${out}),`}`;
    const message = `${what} runs the images of ${request.release} (version ${version}) already: there is nothing to do`;
    const refused = new LiftlockError('unplannable', `${subject}: ${message}`, {
      issues: [{ pointer: '/release', message }],
      // so that a program can tell it from what is in the way
      details: { nothingToDo: true },
    });
    return { refused };
  }
  const itinerary = itineraryOf(extent, seen, problems);
  if (problems.any) return { refused: problems.toError(subject) };
  const plan = assemble(request, extent, seen, itinerary, mirrored, problems);
  return problems.any ? { refused: problems.toError(subject) } : { ok: plan };
}

function assemble(
  request: UpgradeRequest,
  extent: UpgradeExtent,
  seen: Survey,
  itinerary: Itinerary,
  mirrored: MirroredImages,
  problems: Problems,
): Plan {
  const { environment, application, release, chains } = extent;
  const governing = environment.document.spec.policy;
  const policy = effectivePolicy(governing, request.policy);
  const advisories = request.emergency && release.document.spec.security?.advisories;
  const conditions = startConditionsOf(governing, policy, advisories);
  const maker = new StepMaker(problems);
  const planned = planHops(extent, seen, itinerary, maker, problems);
  const { hops, lanes } = planned;
  const origins = new Set(seen.subjects.map(({ from }) => from));
  const ofWhole = applicationJobImages(
    extent,
    seen,
    problems,
    (warning) => void planned.first.push(warning),
  );
  const images = [
    ...itinerary.hops.flatMap(({ legs }) => legs),
    ...lanes.flatMap(({ leg: { instance }, jobImages }) =>
      jobImages === undefined ? [] : [...jobImages.values()].map((image) => ({ instance, image })),
    ),
    ...ofWhole,
  ];
  const mirroring = mirrored.steps(images, maker);
  const versions = { from: [...origins].toSorted().join(', '), to: release.document.spec.version };
  const whole = new ApplicationHookPlanner(maker, {
    ...{ application: application.document, instances: extent.instances, seen, lanes },
    ...{ jobImages: ofWhole, ...versions },
  });
  whole.refuseImpossible(problems);
  const applicationHooks = whole.plan();
  const used = new Set(lanes.map(({ leg }) => leg.instance.target.name));
  const targets = [...extent.targets.values()].filter(({ target }) => used.has(target.name));
  return {
    apiVersion: API_VERSION,
    kind: 'Plan',
    environment: request.environment,
    application: request.application,
    release: request.release,
    ...versions,
    policy,
    ...conditions,
    documents: documentsOf([environment, application, ...chains, ...itinerary.releases, release]),
    targets: targets.map(({ target, maxUpgrades }) => ({ ...target, maxUpgrades })),
    observed: seen.observed,
    changes: changesOf(extent, seen),
    warnings: planned.warnings.after([
      ...emergencyWarnings(conditions.startConditions),
      ...chainWarnings(application.document, chains),
      ...seen.warnings,
      ...planned.first,
      ...whole.warnings(),
    ]),
    // spelled out each time they are read: whoever writes a plan of a large fleet needs its steps one after the other, not all at once
    get prepare() {
      return [
        ...mirroring.values(),
        ...imageSteps(images, mirroring, mirrored, maker),
        ...lanes.flatMap((lane) => lane.planner().unchanged()),
        ...lanes.flatMap((lane) =>
          lane.before === undefined ? (lane.planner().files()?.prepare ?? []) : [],
        ),
      ];
    },
    ...(applicationHooks === undefined ? {} : { applicationHooks }),
    hops,
    get brackets() {
      return [
        ...bracketsAround(application.document, lanes, maker),
        ...lanes.flatMap((lane) => lane.planner().files()?.bracket ?? []),
      ];
    },
    get bakeChecks() {
      return lastLanes(lanes).flatMap((lane) => lane.planner().bakeChecks());
    },
    get finalize() {
      return [...lanes.flatMap((lane) => lane.planner().finalize()), ...whole.finalize()];
    },
  };
}

interface Planning {
  readonly hops: Hop[];
  readonly lanes: LaneDraft[];
  /** Of the lanes. */
  readonly warnings: Warnings;
  /** What is said before them: of images and compatibility. */
  readonly first: string[];
}

/** Hop after hop, wave after wave: where an instance goes on, it begins with the container that its earlier lane makes. */
function planHops(
  extent: UpgradeExtent,
  seen: Survey,
  { hops, legs: allLegs }: Itinerary,
  maker: StepMaker,
  problems: Problems,
): Planning {
  const made = new Map<string, LaneDraft>();
  const planning: Planning = { hops: [], lanes: [], warnings: new Warnings(), first: [] };
  const moments: Array<{ name: string; legs: readonly Leg[] }> = [];
  const jobsOf = ({ instance }: Leg): LaneDraft['jobImages'] => {
    if (instance.component.hooks === undefined) return undefined;
    const at = seen.seen.get(instance.target.name);
    if (at === undefined) return undefined;
    const warn = (warning: string): void => void planning.first.push(warning);
    return jobImagesOf(instance, at, problems, warn);
  };
  const { spec } = extent.application.document;
  const tiers = tierNumbersOf(spec);
  const tierOf = ({ instance }: Leg): number | undefined => tiers.get(instance.component.name);
  const hasOrder =
    new Set(allLegs.map(tierOf)).size > 1 ||
    allLegs.some(({ instance }) => instance.component.data?.folder !== undefined);
  hops.forEach(({ from, to, legs }, index) => {
    const id = `h${index + 1}`;
    const drafts = wavesOf(legs, spec, extent.targets);
    const lanesOfHop: LaneDraft[] = [];
    const waves = drafts.map(({ members, parallelism }, position): Wave => {
      const wave = `${id}/w${position + 1}`;
      const name = `hop ${index + 1} (${from} --> ${to}), wave ${position + 1} of ${drafts.length}`;
      moments.push({ name, legs: members });
      const lanes = members.map((leg) => {
        const before = made.get(leg.instance.id);
        const lane = new LaneDraft(
          maker,
          id,
          wave,
          leg,
          before,
          jobsOf(leg),
          hasOrder ? tierOf(leg) : undefined,
        );
        // what an earlier lane started runs
        if (before === undefined) refuseImpossibleHooks(leg.subject, problems);
        lane.refuseWhatDoesNotFit();
        planning.warnings.add(leg);
        made.set(leg.instance.id, lane);
        lanesOfHop.push(lane);
        return lane;
      });
      return {
        id: wave,
        parallelism,
        get lanes() {
          return lanes.map((lane) => lane.planner().lane());
        },
      };
    });
    planning.hops.push({
      ...{ id, from, to, waves },
      get compensation() {
        return lanesOfHop.flatMap((lane) => lane.planner().compensation());
      },
    });
    for (const lane of lanesOfHop) planning.lanes.push(lane);
  });
  planning.first.push(...checkCompatibility(momentsOf(extent, seen, allLegs, moments), problems));
  return planning;
}

/** Of each instance the lane that it ends with. */
function lastLanes(lanes: readonly LaneDraft[]): LaneDraft[] {
  const last = new Map(lanes.map((lane) => [lane.leg.instance.id, lane]));
  return lanes.filter((lane) => last.get(lane.leg.instance.id) === lane);
}

function changesOf(extent: UpgradeExtent, { subjects, leftOut }: Survey): Change[] {
  const { version } = extent.release.document.spec;
  const upgraded = new Map(subjects.map((subject) => [subject.instance, subject]));
  const changes = extent.instances.map((instance): Change => {
    const subject = upgraded.get(instance);
    const to = componentVersion(instance.wanted, version);
    return {
      instance: instance.id,
      component: instance.component.name,
      target: instance.target.name,
      from: subject === undefined ? to : componentVersion(subject.oldVersion, subject.from),
      to,
      updated: subject !== undefined,
    };
  });
  const staying = leftOut.map(({ instance, runs, version: running }): Change => {
    const from = componentVersion(runs, running);
    return {
      ...{ instance: instance.id, component: instance.component.name },
      ...{ target: instance.target.name, from, to: from, updated: false, leftOut: true },
    };
  });
  return [...changes, ...staying];
}
