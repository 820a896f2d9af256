import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { templateIn, type ActionInput, type ActionOutput, type ServicePlace } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import { abortedBy, isConflict } from './errors.js';
import { drift, type PlannedInstance } from './instance.js';
import { Records } from './records.js';
import type { ServiceEntry } from './service-objects.js';
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
});
type KeptService = z.infer<typeof keptService>;

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
    this.records = new Records(cluster, context, this.changes, (record) =>
      keptService.parse(record),
    );
  }

  get signal(): AbortSignal {
    return this.context.signal;
  }

  read(): Promise<FoundService> {
    return plannedService(this.cluster, this.planned, this.signal);
  }

  /**
   * Reads the service, and writes what becomes of it, only as it was read: again and again while others write the object, too.
   * @param change undefined: nothing is to be done
   * @returns whether it was written
   */
  async rewrite(
    change: (entry: ServiceEntry) => Promise<ServiceEntry | undefined> | ServiceEntry | undefined,
  ): Promise<boolean> {
    const resource = await kindOf(this.cluster, this.place.holder, this.signal);
    for (;;) {
      const { holder, entry } = await this.read();
      const wanted = await change(entry);
      if (wanted === undefined) return false;
      const { services = [] } = holder.spec.serviceSpec ?? {};
      const changed = services.map((one) => (isOf(this.place, one) ? wanted : one));
      const { spec } = holder;
      try {
        await this.changes.replace(resource, {
          ...holder,
          spec: { ...spec, serviceSpec: { ...spec.serviceSpec, services: changed } },
        });
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
  const { container, containerId, keptName, chain } = input;
  const kept = await attempt.records.find(keptName);
  const { entry } = await attempt.read();
  if (entry.template === template && kept !== undefined)
    return { containerId, found: 'done_before' };
  const before = kept ?? (await attempt.records.keep(keptName, container, keptOf(entry)));
  const written = await goTo(attempt, { template }, before.template, chain);
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
  const isThere = entry.template === kept.template;
  const gone = isThere ? false : await goTo(attempt, kept, entry.template, chain);
  if (start) await untilDeployed(attempt, kept.template);
  const settled = await attempt.rewrite((now) =>
    now.templateChain === kept.templateChain && now.version === kept.version
      ? undefined
      : withKept(now, kept),
  );
  if (gone || settled)
    context.log(`${serviceTitle(attempt.place)} is ${kept.template} again, as before the upgrade`);
  return { containerId, found: gone || settled ? 'done_now' : 'done_before' };
}

function keptOf({ template, templateChain, version }: ServiceEntry): KeptService {
  return {
    template,
    ...(templateChain === undefined ? {} : { templateChain }),
    ...(version === undefined ? {} : { version }),
  };
}

function withKept(entry: ServiceEntry, kept: KeptService): ServiceEntry {
  const { templateChain: _chain, version: _version, ...others } = entry;
  return { ...others, ...kept };
}

/** @returns whether anything was written */
async function goTo(
  attempt: ServiceAttempt,
  to: Pick<KeptService, 'template' | 'version'>,
  from: string,
  chain: string | undefined,
): Promise<boolean> {
  const attached = await attempt.rewrite((entry) => {
    assertFrom(attempt, entry, from, to.template);
    return chain === undefined || entry.templateChain === chain || entry.template === to.template
      ? undefined
      : { ...entry, templateChain: chain };
  });
  if (attached)
    attempt.context.log(`${serviceTitle(attempt.place)} has the ServiceTemplateChain ${chain} now`);
  await untilKnown(attempt, from, to.template);
  const written = await attempt.rewrite((entry) => {
    assertFrom(attempt, entry, from, to.template);
    if (entry.template === to.template) return undefined;
    // the version is the old template's: k0rdent asks the new one for its own
    const { version: _version, ...others } = entry;
    return {
      ...others,
      template: to.template,
      ...(to.version === undefined ? {} : { version: to.version }),
    };
  });
  return attached || written;
}

/** Nobody else has changed it since it was looked at. */
function assertFrom(
  { cluster, place, planned }: ServiceAttempt,
  { template, disable }: ServiceEntry,
  from: string,
  to: string,
): void {
  if (disable === true)
    throw new LiftlockError(
      'target_refused',
      `${serviceTitle(place)} of ${holderTitle(place)} on ${cluster.name} is not changed: it is disabled, so that k0rdent does nothing about it; take \`disable\` away`,
      { details: { target: cluster.name, container: planned.container } },
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
