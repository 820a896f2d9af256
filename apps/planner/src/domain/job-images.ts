import type { ApplicationDocument } from '#contracts';
import { worksOf, type InstanceName } from './hook-works.js';
import type { ComponentSpec } from './planning-documents.js';

interface JobImage {
  readonly pointer: string;
  readonly reference: string;
}

interface ApplicationJobImage extends JobImage {
  /** Beside which the job runs. */
  readonly instance: InstanceName;
}

/** The images that jobs of a component name, each once. */
export function jobImageNames({ hooks }: ComponentSpec): JobImage[] {
  const found = new Map<string, JobImage>();
  for (const { workPointer: pointer, work } of worksOf(hooks)) {
    if (work.type !== 'job' || work.image === undefined || found.has(work.image)) continue;
    const reference = work.image;
    found.set(reference, { pointer, reference });
  }
  return [...found.values()];
}

/** The images that jobs of the whole application name, each once for each instance that they are beside. */
export function applicationJobImageNames({
  hooks,
}: ApplicationDocument['spec']): ApplicationJobImage[] {
  const found = new Map<string, ApplicationJobImage>();
  for (const { workPointer: pointer, work } of worksOf(hooks)) {
    const { type, image: reference, instance } = work;
    if (type !== 'job' || reference === undefined || instance === undefined) continue;
    const key = [reference, instance.component, instance.target ?? ''].join(' ');
    if (!found.has(key)) found.set(key, { pointer, reference, instance });
  }
  return [...found.values()];
}
