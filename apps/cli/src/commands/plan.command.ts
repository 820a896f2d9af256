import type { Command } from 'commander';
import { digestOf } from '#kernel';
import { writeJson, type Output } from '../output.js';
import { PLAN_FORMATS, showPlan, type PlanFormat } from '../show/plan-formats.js';
import { startLines } from '../show/plan-text.js';
import { printable } from '../show/text.js';
import { estimateLine, previewPlan } from '../upgrades/preview.js';
import { addRequestOptions, requestOf, type RequestOptions } from '../upgrades/request-options.js';
import { apiCommand } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

export function planCommand(output: Output): Command {
  return addRequestOptions(apiCommand('plan', PLAN_FORMATS))
    .description('what an upgrade would do now, step by step; nothing is begun')
    .argument('<environment>')
    .argument('<application>')
    .argument('<release>')
    .action(
      async (
        environment: string,
        application: string,
        release: string,
        options: Omit<ApiOptions, 'output'> & RequestOptions & { readonly output: PlanFormat },
      ) => {
        const body = requestOf(environment, application, release, options);
        const session = {
          ...options,
          output: options.output === 'json' ? 'json' : 'text',
        } as const;
        await withSession(output, session, async ({ client, format, colours }) => {
          const found = await previewPlan(client, body);
          if ('nothingToDo' in found) {
            if (format === 'json') writeJson(output, { changes: [] });
            else output.write(`${printable(found.nothingToDo)}\n`);
            return;
          }
          const { output: wanted } = options;
          if (wanted === 'json') writeJson(output, found.plan);
          else output.write(showPlan(found.plan, wanted, colours));
          if (wanted === 'text') {
            for (const line of startLines(found.plan, new Date()))
              output.write(`${colours.warn(line)}\n`);
            output.write(`\n${await estimateLine(client, digestOf(found.plan), body)}\n`);
          }
        });
      },
    );
}
