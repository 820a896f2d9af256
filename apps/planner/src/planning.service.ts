import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LiftlockError, type Clock } from '#kernel';
import {
  errorShape,
  type CommandData,
  type CommandEnvelope,
  type ImageAnswer,
  type Plan,
  type UpgradeRequest,
} from '#contracts';
import { UnitOfWork } from '#persistence';
import { attemptPlan, type Planned, type PlanningInput } from './domain/compute-plan.js';
import { chainQuestions, chainsSeen, chainsThatCount } from './domain/cluster-chains.js';
import { driftOf } from './domain/plan-drift.js';
import { extentOf, type UpgradeExtent } from './domain/instances.js';
import { imageKey, observeQuestions } from './domain/observe-questions.js';
import type { PlanningDocuments } from './domain/planning-documents.js';
import { Problems } from './domain/problems.js';
import { tagsToResolve } from './domain/tags.js';
import { extentOfAll, upgradePathsOf, type UpgradePaths } from './domain/upgrade-paths.js';
import { writePlan, type WrittenPlan } from './domain/written-plan.js';
import { Examiner } from './examiner.js';
import { Observer } from './observer.js';
import { DocumentStore } from './persistence/document.store.js';
import { PlanStore, type PlanningResult } from './persistence/plan.store.js';
import { PlanningAnswers } from './planning-answers.js';
import { TagResolver } from './tag-resolver.js';
import { CLOCK } from './tokens.js';

/** How long planning for one upgrade is tried again while an executor does not answer, before it is refused. */
const PATIENCE_MS = 120_000;

type Asked = Pick<UpgradeRequest, 'environment' | 'application'> & Partial<UpgradeRequest>;

/** Documents and what runs, made into plans. */
@Injectable()
export class PlanningService {
  private readonly logger = new Logger(PlanningService.name);

  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
    private readonly plans: PlanStore,
    private readonly observer: Observer,
    private readonly tags: TagResolver,
    private readonly examiner: Examiner,
    private readonly answers: PlanningAnswers,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Plans for an upgrade, and answers the coordinator: once, however often it is asked. */
  async planFor(
    { upgrade, request }: CommandData<'compute-plan'>,
    envelope: CommandEnvelope,
  ): Promise<void> {
    const known = await this.work.run((tx) => this.plans.answer(tx, upgrade));
    if (known !== undefined) {
      await this.work.run((tx) => this.answers.send(tx, upgrade, known, envelope));
      return;
    }
    let plan: WrittenPlan | undefined;
    let refused: LiftlockError | undefined;
    try {
      plan = await this.compute(request);
    } catch (thrown) {
      refused = await this.refusalOf(upgrade, LiftlockError.from(thrown));
    }
    await this.work.run(async (tx) => {
      const now = this.clock.now();
      const result: PlanningResult =
        plan === undefined
          ? { outcome: 'refused', error: errorShape.parse(refused?.toShape()) }
          : { outcome: 'planned', digest: await this.plans.save(tx, plan, now) };
      await this.answers.send(
        tx,
        upgrade,
        await this.plans.saveAnswer(tx, upgrade, result, now),
        envelope,
      );
    });
  }

  /** @returns the digest of the plan that an upgrade would have now. @throws LiftlockError what is in its way. */
  async preview(request: UpgradeRequest): Promise<string> {
    const plan = await this.compute(request);
    return this.work.run((tx) => this.plans.save(tx, plan, this.clock.now()));
  }

  /** @throws LiftlockError naming what is missing, or cannot be observed. */
  async paths(names: { environment: string; application: string }): Promise<UpgradePaths> {
    const subject = `${names.application} in ${names.environment}`;
    const documents = await this.documentsOf(subject, names);
    const extent = extentOfAll(names, documents);
    const observations = await this.observer.observe(
      subject,
      names.environment,
      observeQuestions(extent),
    );
    return upgradePathsOf(extent, observations);
  }

  private async compute(request: UpgradeRequest): Promise<WrittenPlan> {
    const subject = `${request.application} in ${request.environment} to ${request.release}`;
    const documents = await this.documentsOf(subject, request);
    const problems = new Problems();
    const extent = extentOf(request, documents, problems);
    if (extent === undefined) throw problems.toError(subject);
    const observations = await this.observer.observe(
      subject,
      request.environment,
      observeQuestions(extent),
      '; mend that, or leave it out by name (`exclude`) and upgrade it later',
    );
    const planned = await this.plan(extent, { request, documents, observations });
    if ('refused' in planned) throw planned.refused;
    const written = writePlan(subject, planned.ok);
    if (request.plan !== undefined && request.plan !== written.digest)
      throw await this.driftFrom(subject, request.plan, planned.ok, written.digest);
    return written;
  }

  /** What a plan needs to know of images is found out as it turns up: which they are, only the way to the release shows. */
  private async plan(extent: UpgradeExtent, input: PlanningInput): Promise<Planned> {
    const { spec } = extent.environment.document;
    const examined = new Map<string, ImageAnswer>();
    const resolvable = tagsToResolve(extent, input.observations);
    const isExamined = spec.mirror !== undefined || spec.trust !== undefined;
    let tags = isExamined ? new Map() : await this.tags.resolve(resolvable);
    for (let known = -1; known < examined.size;) {
      known = examined.size;
      const { planned, unexamined } = attemptPlan({ ...input, examined, tags });
      if (unexamined.length === 0) return planned;
      for (const [image, answer] of await this.examiner.examine(spec, unexamined))
        examined.set(image, answer);
      // what the mirror is not about is looked up as everywhere
      const left = resolvable.filter(
        (reference) => examined.get(imageKey(reference, undefined))?.outcome === 'left',
      );
      tags = await this.tags.resolve(left);
    }
    throw new LiftlockError('internal', 'images that were examined are still asked for');
  }

  /** @returns `drift` with what is not as it was when the plan was agreed to. */
  private async driftFrom(
    subject: string,
    digest: string,
    now: Plan,
    digestOfNow: string,
  ): Promise<LiftlockError> {
    const agreed = await this.work.run((tx) => this.plans.find(tx, digest));
    if (agreed === undefined)
      return new LiftlockError('not_found', `${subject}: there is no plan ${digest}`);
    const issues = driftOf(agreed, now);
    return new LiftlockError(
      'drift',
      `${subject}: it is not as it was when plan ${digest} was made: ${issues.map(({ message }) => message).join('; ')}; look at the plan of now`,
      { issues, details: { plan: digestOfNow } },
    );
  }

  /** Those that are stored, and the chains that are in clusters, as they are there now. */
  private async documentsOf(subject: string, request: Asked): Promise<PlanningDocuments> {
    const stored = await this.work.run((tx) => this.read(tx, request));
    const problems = new Problems();
    const questions = chainQuestions(stored, problems);
    if (problems.any) throw problems.toError(subject);
    if (questions.length === 0) return stored;
    const observations = await this.observer.observe(subject, request.environment, questions);
    const chains = chainsSeen(stored, observations, problems);
    if (problems.any) throw problems.toError(subject);
    return { ...stored, chains: chainsThatCount(stored.chains, chains) };
  }

  private async read(tx: EntityManager, request: Asked): Promise<PlanningDocuments> {
    const application = await this.documents.application(tx, request.application);
    return {
      environment: await this.documents.environment(tx, request.environment),
      application,
      release:
        request.release === undefined
          ? undefined
          : await this.documents.release(tx, request.release),
      releases: await this.documents.releasesOf(tx, request.application),
      chains: await this.documents.chains(
        tx,
        (application?.document.spec.chains ?? []).filter((chain) => typeof chain === 'string'),
      ),
    };
  }

  /** What passes is tried again by the bus; what goes on failing becomes a refusal, so that no upgrade plans for ever. */
  private async refusalOf(upgrade: string, error: LiftlockError): Promise<LiftlockError> {
    if (!error.retryable) return error;
    const now = this.clock.now();
    const since = await this.work.run((tx) => this.plans.failingSince(tx, upgrade, now));
    if (now.getTime() - since.getTime() < PATIENCE_MS) throw error;
    this.logger.warn(
      `${upgrade}: planning has failed for ${PATIENCE_MS / 1000} s: ${error.message}`,
    );
    const isSilence = error.code === 'unavailable' || error.code === 'timeout';
    const code = isSilence ? 'unobservable' : error.code;
    return new LiftlockError(code, `${error.message} (tried for ${PATIENCE_MS / 1000} s)`, {
      cause: error,
      retryable: false,
    });
  }
}
