import type { ApplicationDocument, Around, Bracket, Step } from '#contracts';
import type { LaneDraft } from './lane-draft.js';
import { pointerOf } from './problems.js';
import type { StepMaker } from './step-maker.js';

/** What the application wants to be held around all of its instances, as brackets. They are called from the site of the first of them. */
export function bracketsAround(
  { metadata, spec }: ApplicationDocument,
  lanes: ReadonlyArray<Pick<LaneDraft, 'id' | 'leg'>>,
  maker: StepMaker,
): Bracket[] {
  const [first] = lanes;
  if (first === undefined) return [];
  return (spec.around ?? []).map(({ name, acquire, release, duringRollback }, index): Bracket => {
    const step = (part: 'acquire' | 'release', call: Around['acquire']): Step => {
      const { timeoutSeconds, retries, repeatable, ...work } = call;
      const about = {
        id: `around/${name}/${part}`,
        title: `${part === 'acquire' ? 'Begin' : 'End'} ${name}: ${call.method} ${call.url}`,
        target: first.leg.instance.target,
        pointer: pointerOf('applications', metadata.name, 'spec', 'around', index, part),
        ...{ timeoutSeconds, undo: 'inverse' as const },
        // it comes again after a pause anyway
        repeatable: repeatable ?? true,
        retry: { maxAttempts: retries + 1, backoffSeconds: 1, maxBackoffSeconds: 30 },
      };
      return maker.make('hook.http', about, { work, anew: true });
    };
    return {
      ...{ id: `around/${name}`, lanes: lanes.map(({ id }) => id), duringRollback },
      acquire: step('acquire', acquire),
      release: step('release', release),
    };
  });
}
