import { Option, type Command } from 'commander';
import {
  actionRequest,
  approvalsText,
  upgradeView,
  type UpgradeAction,
  type UpgradeView,
} from '#contracts';
import { LiftlockError } from '#kernel';
import { issuesOf } from '#source';
import { upgradePath } from '../api/paths.js';
import { exitCodeOf } from '../exit-codes.js';
import { writeJson, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';
import { watchOrLeave } from '../watch/watch-or-leave.js';
import { apiCommand, wholeNumber } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

interface ActionOptions extends ApiOptions {
  readonly reason?: string;
  readonly step?: string;
  readonly outcome?: string;
  readonly plan?: string;
  readonly comment?: string;
  readonly watch?: true;
  readonly timeout?: number;
}

interface Act {
  readonly action: UpgradeAction;
  readonly description: string;
  /** Whether a step may be named. */
  readonly step?: true;
  readonly needsReason?: true;
}

const ACTS: readonly Act[] = [
  { action: 'approve', description: 'agree to an upgrade that waits for it' },
  { action: 'reject', description: 'refuse an upgrade that waits for approval' },
  { action: 'cancel', description: 'end it; what was changed is taken back' },
  { action: 'pause', description: 'start nothing new until it is resumed' },
  { action: 'resume', description: 'go on after a pause' },
  {
    action: 'rollback',
    description: 'take everything back, while it runs, bakes or needs attention',
  },
  { action: 'retry', description: 'try what needs attention again', step: true },
  {
    action: 'skip',
    description: 'go on without a step that needs attention',
    step: true,
    needsReason: true,
  },
  {
    action: 'resolve',
    description: 'say what became of a step that is in doubt',
    step: true,
    needsReason: true,
  },
];

/** One command for each thing that a person may ask of an upgrade. */
export function actionCommands(output: Output, setExit: SetExit): Command[] {
  return ACTS.map((act) => actionCommand(act, output, setExit));
}

function actionCommand(act: Act, output: Output, setExit: SetExit): Command {
  const { action } = act;
  const command = apiCommand(action)
    .description(act.description)
    .argument('<upgrade>', 'its id')
    .option('--watch', 'then watch it, with the exit codes of watch')
    .option('--timeout <seconds>', 'watch no longer than this', wholeNumber(1));
  if (act.needsReason === true)
    command.requiredOption('--reason <text>', 'why: it goes into the history');
  else command.option('--reason <text>', 'why, for the history');
  if (act.step === true)
    command.option('--step <id>', 'which one; may be left out when only one waits');
  if (action === 'approve')
    command
      .option('--plan <digest>', 'the plan that you agree to; refused when it is another')
      .option('--comment <text>', 'what is to be remembered with it');
  if (action === 'resolve')
    command.addOption(
      new Option('--outcome <outcome>', 'what you have found out')
        .choices(['succeeded', 'failed'])
        .makeOptionMandatory(),
    );
  return command.action(async (id: string, options: ActionOptions) => {
    const { reason, step, outcome, plan, comment } = options;
    const body = actionRequest.safeParse({ reason, step, outcome, plan, comment });
    if (!body.success)
      throw new LiftlockError('invalid_request', 'the request is not valid', {
        issues: issuesOf(body.error),
      });
    await withSession(output, options, async (session) => {
      const path = `${upgradePath(id)}/${action}`;
      const view = await session.client.send('POST', path, upgradeView, { body: body.data });
      if (options.watch === true)
        setExit(exitCodeOf((await watchOrLeave(session, view.id, options)).state));
      else if (session.format === 'json') writeJson(output, view);
      else output.write(`${view.id} ${view.state}${stillNeeded(view)}\n`);
    });
  });
}

function stillNeeded({ state, approvals }: UpgradeView): string {
  if (state !== 'awaiting_approval' || approvals === undefined) return '';
  return `: still needed: ${approvalsText(approvals.missing)}`;
}
