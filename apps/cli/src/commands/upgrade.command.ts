import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { upgradeView, type UpgradeRequest, type UpgradeView } from '#contracts';
import { digestOf, LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import { writeJson, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';
import { changesText, startLines } from '../show/plan-text.js';
import { printable } from '../show/text.js';
import { estimateLine, previewPlan } from '../upgrades/preview.js';
import { continuationOf } from '../upgrades/continuation.js';
import { addRequestOptions, requestOf, type RequestOptions } from '../upgrades/request-options.js';
import { watchOrLeave } from '../watch/watch-or-leave.js';
import { apiCommand, wholeNumber } from './api-command.js';
import { withSession, type ApiOptions, type Session } from './api-session.js';

interface UpgradeOptions extends ApiOptions, RequestOptions {
  readonly yes?: true;
  readonly key?: string;
  readonly continue?: string;
  readonly watch: boolean;
  readonly timeout?: number;
}

export function upgradeCommand(output: Output, setExit: SetExit): Command {
  return addRequestOptions(apiCommand('upgrade'))
    .description(
      'show what will change, ask, begin it and watch it; exit code 0 succeeded, 1 failed or cancelled, 3 rolled back, 4 needs attention, 5 partially succeeded',
    )
    .argument('[environment]')
    .argument('[application]')
    .argument('[release]')
    .option(
      '--continue <id>',
      'what is left of this upgrade: the same release, with the same options',
    )
    .option('-y, --yes', 'do not ask')
    .option('--plan <digest>', 'run exactly the plan of this digest, or nothing')
    .option('--no-watch', 'only begin it')
    .option('--key <key>', 'Idempotency-Key: the same key and request begin one upgrade only')
    .option('--timeout <seconds>', 'watch no longer than this; it goes on', wholeNumber(1))
    .action(
      async (
        environment: string | undefined,
        application: string | undefined,
        release: string | undefined,
        options: UpgradeOptions,
      ) => {
        const names = { environment, application, release };
        await withSession(output, options, async (session) => {
          const request = await wantedRequest(session.client, names, options);
          if (!(await agreed(session, request, options, setExit))) return;
          const begun = await begin(session, request, options.key ?? randomUUID());
          if (!options.watch) {
            if (session.format === 'json') writeJson(output, begun);
            else output.write(`${begun.id}\n`);
            return;
          }
          setExit(exitCodeOf((await watchOrLeave(session, begun.id, options)).state));
        });
      },
    );
}

interface Names {
  readonly environment: string | undefined;
  readonly application: string | undefined;
  readonly release: string | undefined;
}

/** @throws LiftlockError `invalid_request` when neither an upgrade to continue nor all names are given. */
async function wantedRequest(
  client: ApiClient,
  names: Names,
  options: UpgradeOptions,
): Promise<UpgradeRequest> {
  const { environment, application, release } = names;
  if (options.continue !== undefined) {
    const given = environment ?? application ?? release;
    if (given === undefined) return continuationOf(client, options.continue, options);
    throw new LiftlockError(
      'invalid_request',
      `--continue ${options.continue} says what is upgraded: leave ${given} out`,
    );
  }
  if (environment === undefined || application === undefined || release === undefined)
    throw new LiftlockError(
      'invalid_request',
      'missing required argument: liftlock upgrade ENVIRONMENT APPLICATION RELEASE, or --continue UPGRADE',
    );
  return requestOf(environment, application, release, options);
}

/** Whether a person, or `--yes`, wants what the plan says. */
async function agreed(
  session: Session,
  request: UpgradeRequest,
  { yes, key, watch }: UpgradeOptions,
  setExit: SetExit,
): Promise<boolean> {
  const { client, output, format, colours } = session;
  // the upgrade of a known key may be under way: there is nothing to plan and nothing to ask any more
  if (yes === true && key !== undefined) return true;
  const found = await previewPlan(client, request);
  // standard output is a program's with -o json, and with --no-watch: ID=$(liftlock upgrade --yes --no-watch …)
  const write = format === 'json' || !watch ? output.writeError : output.write;
  if ('nothingToDo' in found) {
    write(`${printable(found.nothingToDo)}\n`);
    if (format === 'json') writeJson(output, { changes: [] });
    return false;
  }
  write(changesText(found.plan, colours));
  for (const line of startLines(found.plan, new Date())) write(`  ${line}\n`);
  const digest = digestOf(found.plan);
  write(`plan ${digest}\n${await estimateLine(client, digest, request)}\n`);
  if (yes === true) return true;
  const answer = await output.ask('Go ahead? [yes/No] ');
  if (answer === undefined)
    throw new LiftlockError('invalid_request', 'there is nobody to ask: --yes goes ahead without');
  if (/^y(es)?$/i.test(answer.trim())) return true;
  output.writeError('nothing was begun\n');
  setExit(EXIT.failed);
  return false;
}

function begin({ client }: Session, body: UpgradeRequest, key: string): Promise<UpgradeView> {
  const headers = { 'idempotency-key': key };
  return client.send('POST', '/v1/upgrades', upgradeView, { body, headers }, true);
}
