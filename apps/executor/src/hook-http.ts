import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';

/** Of an answer so much is kept, in characters. */
const KEPT_CHARACTERS = 2_000;

/**
 * One call. The key is the same for each try at this step, unless it comes anew, and another in each upgrade, so that who keeps keys does it
 * once (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/). Redirects are not followed: a secret must not go elsewhere.
 * @throws LiftlockError `hook_failed` with the status and the beginning of the answer.
 */
export async function callHook(
  context: StepContext,
  { work, anew }: ActionInput<'hook.http'>,
): Promise<ActionOutput<'hook.http'>> {
  const { method, url, headers, body, status: wanted } = work;
  const what = `${method} ${url}`;
  const sent = new Headers({ 'user-agent': 'liftlock' });
  // whatever the case of their names: none is sent twice
  for (const [name, value] of Object.entries(headers)) sent.set(name, value);
  const key = `${context.upgrade}/${context.stepId}`;
  sent.set('idempotency-key', anew === true ? `${key}/${context.attempt}` : key);
  await context.guard();
  context.log(what);
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    signal: context.signal,
    headers: sent,
    ...(body === undefined ? {} : { body }),
  }).catch((error: unknown) => {
    if (context.signal.aborted) throw LiftlockError.from(context.signal.reason);
    throw new LiftlockError('hook_failed', `${what} cannot be called: ${causeOf(error)}`);
  });
  const text = await beginningOf(response);
  const said = text === '' ? [] : [text];
  context.log(`${what} answered ${response.status}`);
  const isGood = wanted === undefined ? response.ok : response.status === wanted;
  if (isGood) return { found: 'done_now', status: response.status, said };
  throw new LiftlockError(
    'hook_failed',
    `${what} answered ${response.status}, not ${wanted ?? '2xx'}${text === '' ? '' : `: ${text.slice(0, 500)}`}`,
    { details: { status: response.status, said } },
  );
}

/** No more of an answer is read than is kept: it may have no end. */
async function beginningOf({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length >= KEPT_CHARACTERS) break;
    }
  } catch {
    // what was answered is known by its status
  }
  return text.slice(0, KEPT_CHARACTERS);
}

/** What went wrong stands in the cause: fetch itself says only that it failed. */
function causeOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
