import { withSecrets } from '#contracts';
import { inTexts, LiftlockError } from '#kernel';
import type { StepContext } from './step-context.js';
import type { TextSecrets } from './text-secrets.js';

/**
 * Performs a hook with its secrets put in. Whatever it says back, in a line of the log, a result or an error, has none of them: what is
 * sent to somebody may come back in an answer, and what a command is given it may print.
 * @throws LiftlockError `misconfigured` naming every secret that is not known here.
 */
export async function withHookSecrets<W extends object, O extends object>(
  secrets: TextSecrets,
  context: StepContext,
  work: W,
  perform: (context: StepContext, work: W) => Promise<O>,
): Promise<O> {
  const values = await secrets.valuesIn(textsIn(work));
  const hidden = hiderOf(values);
  const filled = inTexts(work, (text) => withSecrets(text, (name) => values.get(name) ?? ''));
  const log: StepContext['log'] = (text, level) => context.log(hidden(text), level);
  const inner = Object.assign(Object.create(context) as StepContext, { log });
  try {
    return inTexts(await perform(inner, filled), hidden);
  } catch (thrown) {
    const error = LiftlockError.from(thrown);
    const details = error.details === undefined ? {} : { details: inTexts(error.details, hidden) };
    // without its cause, which may say it, too
    throw new LiftlockError(error.code, hidden(error.message), {
      ...details,
      retryable: error.retryable,
    });
  }
}

/** Shorter pieces of a secret say nothing, and may be a piece of anything. */
const LEAST_PIECE = 6;

/**
 * Puts `${NAME}` in the place of a secret: as it is, as JSON has it, line by line, since lines are told one by one, and what is left of it where a
 * text was cut. The longest first: one secret may be a part of another.
 */
function hiderOf(values: ReadonlyMap<string, string>): (text: string) => string {
  const shown = [...values]
    .flatMap(([name, value]) => {
      const lines = value.split(/\r?\n/).filter((line) => line.length >= LEAST_PIECE);
      const shapes = new Set([value, JSON.stringify(value).slice(1, -1), ...lines]);
      return [...shapes].map((shape) => ({ shape, instead: `\${${name}}` }));
    })
    .filter(({ shape }) => shape !== '')
    .toSorted((a, b) => b.shape.length - a.shape.length);
  return (text) => {
    let rest = text;
    for (const { shape, instead } of shown) rest = rest.replaceAll(shape, () => instead);
    for (const { shape, instead } of shown) {
      const head = longestPiece(shape, (length) => rest.endsWith(shape.slice(0, length)));
      if (head > 0) rest = rest.slice(0, -head) + instead;
      const tail = longestPiece(shape, (length) => rest.startsWith(shape.slice(-length)));
      if (tail > 0) rest = instead + rest.slice(tail);
    }
    return rest;
  };
}

/** Length of the longest piece that is there; 0 for none. */
function longestPiece(shape: string, isThere: (length: number) => boolean): number {
  for (let length = shape.length - 1; length >= LEAST_PIECE; length -= 1)
    if (isThere(length)) return length;
  return 0;
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
