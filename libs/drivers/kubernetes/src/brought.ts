import { BROUGHT } from './labels.js';
import type { PodTemplate } from './objects.js';

interface Brought {
  /** As the template names it: pinned, so that nobody can tell by it which release it is of. */
  readonly image: string;
  /** As the release names it. */
  readonly reference: string;
}

/**
 * The template with a note of which reference its image was brought by; without one where the image tells it itself. It is in the template,
 * so that it comes and goes with the image, whoever takes that back.
 */
export function withBrought(template: PodTemplate, { image, reference }: Brought): PodTemplate {
  const { [BROUGHT]: before, ...others } = template.metadata?.annotations ?? {};
  const note = image === reference ? undefined : `${reference} ${image}`;
  if (note === before) return template;
  const annotations = note === undefined ? others : { ...others, [BROUGHT]: note };
  return { ...template, metadata: { ...template.metadata, annotations } };
}

/** @returns undefined where the image was not brought by an upgrade, or has been changed since */
export function broughtAs({ metadata }: PodTemplate, image: string): string | undefined {
  const [reference, brought] = metadata?.annotations?.[BROUGHT]?.split(' ') ?? [];
  return brought === image ? reference : undefined;
}
