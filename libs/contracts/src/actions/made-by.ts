/**
 * Where a later hop begins, there is a container that an earlier hop of the same upgrade made: no plan can know its ID. It is named by
 * the step that makes it instead, and the driver finds it by the marks that it gave it.
 */
const MADE_BY = 'made-by:';

/** What stands for the ID of the container that a step of the same upgrade makes. */
export function madeBy(stepId: string): string {
  return `${MADE_BY}${stepId}`;
}

/** The step that makes the container; undefined for an ID. */
export function makerOf(containerId: string): string | undefined {
  return containerId.startsWith(MADE_BY) ? containerId.slice(MADE_BY.length) : undefined;
}
