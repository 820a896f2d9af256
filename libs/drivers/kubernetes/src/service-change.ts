import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { templateIn, type ActionInput, type ActionOutput, type ServicePlace } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import { abortedBy, isConflict } from './errors.js';
import { drift, type PlannedInstance } from './instance.js';
import { Records } from './records.js';
import type { HolderObject, Selection, ServiceEntry } from './service-objects.js';
import {
  holderTitle,
  isOf,
  isSeen,
  kindOf,
  plannedService,
  serviceAt,
  serviceTitle,
  type FoundService,
} from './service-place.js';
import { stateOf } from './service-state.js';

/** So often it is looked whether k0rdent has come on, in milliseconds. */
const LOOK_MS = 500;
/** For so long k0rdent may look at an object that was changed, in milliseconds. */
const SEEN_MS = 60_000;
/** For so long after that a way that it does not know may turn up, in milliseconds: its status is written in pieces. */
const KNOWN_MS = 5_000;

/** Of a service, as it was before a hop changed it: nothing else is changed. */
const keptService = z.object({
  template: z.string(),
  templateChain: z.string().optional(),
  version: z.string().optional(),
  /** Of a MultiClusterService whose clusters go in waves. */
  selection: z
    .object({
      clusterSelector: z.looseObject({}).optional(),
      keepServicesOnSelectorMismatch: z.boolean().optional(),
    })
    .optional(),
});
type KeptService = Omit<z.infer<typeof keptService>, 'selection'> & {
  readonly selection?: Selection | undefined;
};

/** As it was written: a selector has fields that nobody here knows. */
function readKept(record: unknown): KeptService {
  keptService.parse(record);
  return record as KeptService;
}

/** What becomes of a service, and of which clusters it is for. */
interface Wanted {
  readonly entry: ServiceEntry;
  readonly selection: Selection;
}

/** One attempt at one action on one service. */
class ServiceAttempt {
  readonly place: ServicePlace;
  readonly changes: Changes;
  readonly records: Records<KeptService>;

  constructor(
    readonly cluster: Cluster,
    readonly context: StepContext,
    readonly planned: PlannedInstance,
  ) {
    this.place = serviceAt(planned.container);
    this.changes = new Changes(cluster, context);
    this.records = new Records(cluster, context, this.changes, readKept);
  }

  get signal(): AbortSignal {
    return this.context.signal;
  }

  read(): Promise<FoundService> {
    return plannedService(this.cluster, this.planned, this.signal);
  }

  /**
   * Reads the service, and writes what becomes of it, only as it was read: again and again while others write the object, too.
   * @returns whether it was written: not where that changes nothing
   */
  async rewrite(change: (now: Wanted) => Partial<Wanted>): Promise<boolean> {
    const resource = await kindOf(this.cluster, this.place.holder, this.signal);
    for (;;) {
      const { holder, entry } = await this.read();
      const now = { entry, selection: selectionOf(holder) };
      const wanted = { ...now, ...change(now) };
      if (isDeepStrictEqual(wanted, now)) return false;
      const {
        clusterSelector: _selector,
        keepServicesOnSelectorMismatch: _keep,
        ...spec
      } = holder.spec;
      const services = (spec.serviceSpec?.services ?? []).map((one) =>
        isOf(this.place, one) ? wanted.entry : one,
      );
      try {
        const written = await this.changes.replace<HolderObject>(resource, {
          ...holder,
          spec: { ...spec, ...wanted.selection, serviceSpec: { ...spec.serviceSpec, services } },
        });
        assertTaken(this, selectionOf(written), wanted.selection);
        return true;
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  async pause(): Promise<void> {
    await delay(LOOK_MS, undefined, { signal: this.signal }).catch(() => {
      throw abortedBy(this.signal, `waiting for ${serviceTitle(this.place)}`);
    });
  }
}

/**
 * Lets k0rdent deploy another template, along a chain that allows it. The chain is attached first, and it is waited until k0rdent knows the way: it
 * refuses without a word to whoever changed the template. What it deploys is for the check to wait for.
 */
export async function replaceService(
  cluster: Cluster,
  context: StepContext,
  input: ActionInput<'instance.replace'>,
): Promise<ActionOutput<'instance.replace'>> {
  const attempt = new ServiceAttempt(cluster, context, input);
  const template = templateIn(input.image.reference);
  if (template === undefined)
    throw new LiftlockError(
      'invalid_step',
      `${input.image.reference} is no ServiceTemplate; make a new plan`,
    );
  const { container, containerId, keptName, chain, clusters } = input;
  const found = await attempt.read();
  const before = await attempt.records.find(keptName);
  if (before === undefined && found.entry.template === template)
    throw drift(
      cluster,
      container,
      `${serviceTitle(attempt.place)} of ${holderTitle(attempt.place)} is ${template} already, and somebody else did that: make a new plan`,
    );
  const kept =
    before ??
    (await attempt.records.keep(keptName, container, keptOf(found, clusters !== undefined)));
  const written =
    clusters === undefined
      ? await goTo(attempt, { template, selection: kept.selection }, kept.template, chain)
      : await goToSome(attempt, template, kept, clusters, chain);
  if (written) context.log(`${serviceTitle(attempt.place)} is to be ${template} from now on`);
  return { containerId, found: written ? 'done_now' : 'done_before' };
}

/** The template as it was written down, waited for where it was deployed before; and then its chain, which need not lead down. */
export async function restoreService(
  cluster: Cluster,
  context: StepContext,
  { keptName, chain, start, ...planned }: ActionInput<'instance.restore-old'>,
): Promise<ActionOutput<'instance.restore-old'>> {
  const attempt = new ServiceAttempt(cluster, context, planned);
  const { containerId } = planned;
  const kept = await attempt.records.find(keptName);
  // it was not changed by this upgrade
  if (kept === undefined) return { containerId, found: 'nothing_to_do' };
  const { entry } = await attempt.read();
  const gone = await goTo(attempt, kept, entry.template, chain);
  if (start) await untilDeployed(attempt, kept.template);
  const settled = await attempt.rewrite((now) => ({ entry: withKept(now.entry, kept) }));
  if (gone || settled)
    context.log(`${serviceTitle(attempt.place)} is ${kept.template} again, as before the upgrade`);
  return { containerId, found: gone || settled ? 'done_now' : 'done_before' };
}

function keptOf({ holder, entry }: FoundService, inWaves: boolean): KeptService {
  const { template, templateChain, version } = entry;
  return {
    template,
    ...(templateChain === undefined ? {} : { templateChain }),
    ...(version === undefined ? {} : { version }),
    ...(inWaves ? { selection: selectionOf(holder) } : {}),
  };
}

function selectionOf({ spec }: HolderObject): Selection {
  const { clusterSelector, keepServicesOnSelectorMismatch } = spec;
  return {
    ...(clusterSelector === undefined ? {} : { clusterSelector }),
    ...(keepServicesOnSelectorMismatch === undefined ? {} : { keepServicesOnSelectorMismatch }),
  };
}

function withKept(entry: ServiceEntry, kept: KeptService): ServiceEntry {
  const { templateChain: _chain, version: _version, ...others } = entry;
  const { selection: _selection, ...service } = kept;
  return { ...others, ...service };
}

/**
 * In some of the clusters only: the selector is narrowed to them, and what the others have is kept as it is, which k0rdent is told first. A k0rdent
 * that does not know of that would remove it there.
 */
async function goToSome(
  attempt: ServiceAttempt,
  template: string,
  { template: from, selection: before = {} }: KeptService,
  labels: Readonly<Record<string, string>>,
  chain: string | undefined,
): Promise<boolean> {
  const { clusterSelector = {} } = before;
  const taken = Object.entries(labels).find(
    ([key, value]) => (clusterSelector.matchLabels?.[key] ?? value) !== value,
  );
  if (taken !== undefined)
    throw refusedService(
      attempt,
      `its selector asks for ${taken[0]}=${clusterSelector.matchLabels?.[taken[0]]}, and a wave for ${taken.join('=')}: correct the component’s service.waves`,
    );
  const kept = await attempt.rewrite(({ selection }) => ({
    selection: { ...selection, keepServicesOnSelectorMismatch: true },
  }));
  if (kept) await untilSeen(attempt);
  const selection = {
    clusterSelector: {
      ...clusterSelector,
      matchLabels: { ...clusterSelector.matchLabels, ...labels },
    },
    keepServicesOnSelectorMismatch: true,
  };
  return (await goTo(attempt, { template, selection }, from, chain)) || kept;
}

/** @returns whether anything was written */
async function goTo(
  attempt: ServiceAttempt,
  { template, version, selection }: Pick<KeptService, 'template' | 'version' | 'selection'>,
  from: string,
  chain: string | undefined,
): Promise<boolean> {
  const attached = await attempt.rewrite(({ entry }) => {
    assertFrom(attempt, entry, from, template);
    return chain === undefined || entry.template === template
      ? {}
      : { entry: { ...entry, templateChain: chain } };
  });
  if (attached)
    attempt.context.log(`${serviceTitle(attempt.place)} has the ServiceTemplateChain ${chain} now`);
  await untilKnown(attempt, from, template);
  const written = await attempt.rewrite(({ entry, selection: now }) => {
    assertFrom(attempt, entry, from, template);
    const clusters = { selection: selection ?? now };
    if (entry.template === template) return clusters;
    // the version is the old template's: k0rdent asks the new one for its own
    const { version: _version, ...others } = entry;
    return {
      ...clusters,
      entry: { ...others, template, ...(version === undefined ? {} : { version }) },
    };
  });
  return attached || written;
}

/** What k0rdent's definitions do not know is dropped without a word. */
function assertTaken(attempt: ServiceAttempt, now: Selection, wanted: Selection): void {
  if (wanted.keepServicesOnSelectorMismatch !== true) return;
  if (now.keepServicesOnSelectorMismatch === true) return;
  throw refusedService(
    attempt,
    'this k0rdent does not know keepServicesOnSelectorMismatch, without which it would remove the service from all clusters but those of a wave: ' +
      'upgrade k0rdent, or take the component’s service.waves away',
  );
}

function refusedService({ cluster, place, planned }: ServiceAttempt, why: string): LiftlockError {
  return new LiftlockError(
    'target_refused',
    `${serviceTitle(place)} of ${holderTitle(place)} on ${cluster.name} is not changed: ${why}`,
    { details: { target: cluster.name, container: planned.container } },
  );
}

/** Nobody else has changed it since it was looked at. */
function assertFrom(
  attempt: ServiceAttempt,
  { template, disable }: ServiceEntry,
  from: string,
  to: string,
): void {
  const { cluster, place, planned } = attempt;
  if (disable === true)
    throw refusedService(
      attempt,
      'it is disabled, so that k0rdent does nothing about it; take `disable` away',
    );
  if (template === from || template === to) return;
  throw drift(
    cluster,
    planned.container,
    `${serviceTitle(place)} of ${holderTitle(place)} was changed during the upgrade, to ${template}: put back ${from}, and see that nothing else changes it before the upgrade has ended`,
  );
}

/** Until k0rdent lists the template among those that may follow. @throws LiftlockError `target_refused`, in its words, where it does not */
async function untilKnown(attempt: ServiceAttempt, from: string, to: string): Promise<void> {
  const { place, cluster } = attempt;
  const began = performance.now();
  let seenAt: number | undefined;
  for (;;) {
    const { holder, entry } = await attempt.read();
    if (entry.template === to) return;
    const paths = holder.status?.servicesUpgradePaths?.find(
      (one) => isOf(place, one) && one.template === from,
    );
    const known = (paths?.availableUpgrades ?? []).flatMap(
      ({ upgradePaths = [], versions = [] }) => [
        ...upgradePaths,
        ...versions.map(({ name }) => name),
      ],
    );
    const now = performance.now();
    if (isSeen(holder)) {
      if (known.includes(to)) return;
      seenAt ??= now;
    }
    if (seenAt === undefined ? now - began > SEEN_MS : now - seenAt > KNOWN_MS) {
      const why =
        seenAt === undefined
          ? `k0rdent has not looked at it for ${SEEN_MS / 1000} s`
          : `${chainText(entry)}, and from ${from} k0rdent knows ${known.length === 0 ? 'no way' : `only ${[...new Set(known)].join(', ')}`}`;
      throw new LiftlockError(
        'target_refused',
        `${serviceTitle(place)} can't be upgraded from ${from} to ${to}: ${why} (${holderTitle(place)} on ${cluster.name})`,
        { details: { target: cluster.name, container: attempt.planned.container } },
      );
    }
    await attempt.pause();
  }
}

/** Until k0rdent has looked at it as it is now. */
async function untilSeen(attempt: ServiceAttempt): Promise<void> {
  const began = performance.now();
  while (!isSeen((await attempt.read()).holder)) {
    if (performance.now() - began > SEEN_MS)
      throw refusedService(attempt, `k0rdent has not looked at it for ${SEEN_MS / 1000} s`);
    await attempt.pause();
  }
}

function chainText({ templateChain }: ServiceEntry): string {
  return templateChain === undefined
    ? 'it has no ServiceTemplateChain'
    : `its ServiceTemplateChain is ${templateChain}`;
}

/** Until k0rdent has brought it to every cluster; it ends with the step. @throws LiftlockError `check_failed` where it gives up */
async function untilDeployed(attempt: ServiceAttempt, template: string): Promise<void> {
  const { cluster, place } = attempt;
  for (;;) {
    const { holder } = await attempt.read();
    const state = await stateOf(cluster, place, holder, template, attempt.signal);
    if (state.isDeployed) return;
    if (state.failure !== undefined)
      throw new LiftlockError(
        'check_failed',
        `${serviceTitle(place)} of ${holderTitle(place)} on ${cluster.name} is not back: ${state.failure}`,
        { details: { target: cluster.name, container: attempt.planned.container } },
      );
    await attempt.pause();
  }
}

/** The record of a hop: nothing leads back there any more, or it is back. */
export async function removeServiceRecord(
  cluster: Cluster,
  context: StepContext,
  input: ActionInput<'instance.remove-old'>,
): Promise<ActionOutput<'instance.remove-old'>> {
  const { records } = new ServiceAttempt(cluster, context, input);
  return { found: (await records.forget(input.keptName)) ? 'done_now' : 'nothing_to_do' };
}
