import { templateIn } from '#contracts';
import { assertNever } from '#kernel';
import { declaredChecks } from './checks-of-version.js';
import { digestIn } from './image-digest.js';
import { writtenBesides } from './shared-data.js';
import { hookWarnings } from './hook-warnings.js';
import type { Leg } from './lane-subject.js';
import { composeWarnings, takenWarning } from './owners.js';
import type { ComponentSpec } from './planning-documents.js';
import { isService, noWayBack } from './services.js';

/** What a person should know before agreeing, in sentences, each once. */
export class Warnings {
  private readonly said = new Set<string>();
  private readonly unchecked = new Set<ComponentSpec>();

  /** All, behind others. */
  after(others: readonly string[]): string[] {
    const first = new Set(others);
    const all = [...first];
    for (const one of this.said) if (!first.has(one)) all.push(one);
    return all;
  }

  add(leg: Leg): void {
    const { instance, image, before } = leg;
    const { container } = leg.subject;
    const { component, id, wanted } = instance;
    // what is so of a later hop, too, was said of the first
    const isFirst = before === undefined;
    if (isFirst) this.addQuiet(id, component);
    const isWorkload = instance.target.driver === 'kubernetes';
    if (
      !isWorkload &&
      declaredChecks(component, wanted).length === 0 &&
      !this.unchecked.has(component)
    ) {
      this.unchecked.add(component);
      this.said.add(
        `${component.name} has no checks: its new version counts as good when it runs for a second`,
      );
    }
    if (isFirst && !container.running) this.said.add(downText(leg));
    if (isFirst && isWorkload && container.owner !== undefined)
      this.said.add(takenWarning(id, container.owner));
    if (isFirst) this.addBesides(leg.subject);
    if (isByTagAlone(leg)) this.addByTag(leg);
    if (isService(instance) && leg.chains?.back === undefined) this.said.add(noWayBack(leg));
    if (isFirst) for (const warning of container.warnings) this.said.add(`${id}: ${warning}`);
    for (const warning of composeWarnings({ instance, container, image })) this.said.add(warning);
    if (isFirst) for (const warning of hookWarnings(instance)) this.said.add(warning);
  }

  private addQuiet(id: string, { data }: ComponentSpec): void {
    const lost = 'what it writes between the snapshot and its stop is lost on the way back';
    const consistency = data?.consistency ?? 'stopped';
    switch (consistency) {
      case 'running':
        this.said.add(
          `the data of ${id} is snapshot while it runs: ${lost}; files that change meanwhile need not fit together`,
        );
        return;
      case 'paused':
        this.said.add(
          `the data of ${id} is snapshot while it stands still (docker pause): ${lost}`,
        );
        return;
      case 'stopped':
        return;
      default:
        assertNever(consistency);
    }
  }

  private addBesides({ instance, container }: Leg['subject']): void {
    const besides = writtenBesides({ instance, container, upgraded: true });
    if (besides.length === 0) return;
    this.said.add(
      `${instance.id} writes to ${besides.join(', ')}, which ${besides.length === 1 ? 'is' : 'are'} not among its data: ` +
        'what the new version writes there is not taken back',
    );
  }

  private addByTag({ instance: { wanted, component }, image }: Leg): void {
    const { id, digest } = image.identity;
    this.said.add(
      `${wanted.image} of ${component.name} has no digest: this plan takes ${id ?? digest}, and another one may find another image`,
    );
  }
}

function downText({ instance: { id, target, component }, subject: { container } }: Leg): string {
  if (target.driver !== 'kubernetes')
    return `${id} does not run: it will run in its new version, and on the way back it stays stopped`;
  if (isService({ component, target }))
    return `${id} is not deployed as it is: on the way back it is not waited until its old version is`;
  return container.replicas === 0
    ? `${id} is scaled to zero, and stays so: it gets its new version, of which nothing runs that could be checked`
    : `${id} has no pod that is ready: on the way back it is not waited until its old version is`;
}

/** What the name means is settled by nothing but the moment of planning. */
function isByTagAlone({ instance: { wanted } }: Leg): boolean {
  return (
    digestIn(wanted.image) === undefined &&
    wanted.id === undefined &&
    wanted.archive === undefined &&
    // of what has this name nobody can change the spec
    templateIn(wanted.image) === undefined
  );
}
