import { Command, Option } from 'commander';
import { z } from 'zod';
import { ROLES, tokenCreated, tokenPage } from '#contracts';
import { writeJson, type Output } from '../output.js';
import { age, table } from '../show/text.js';
import { apiCommand, wholeNumber } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

interface CreateOptions extends ApiOptions {
  readonly role: string;
  readonly expires?: number;
}

const SECONDS_A_DAY = 24 * 3_600;

export function tokenCommand(output: Output): Command {
  return new Command('token')
    .description('give out, list and revoke bearer tokens; for admins')
    .addCommand(createToken(output))
    .addCommand(listTokens(output))
    .addCommand(revokeToken(output));
}

function createToken(output: Output): Command {
  return apiCommand('create')
    .description('give out a token: it is shown this once')
    .argument('<name>', 'who acts with it, in every history')
    .addOption(new Option('--role <role>').choices(ROLES).makeOptionMandatory())
    .option('--expires <days>', 'default: never', wholeNumber(1, 3_660))
    .action(async (name: string, { role, expires, ...options }: CreateOptions) => {
      await withSession(output, options, async ({ client, format }) => {
        const expiresInSeconds = expires === undefined ? undefined : expires * SECONDS_A_DAY;
        const body = { name, role, expiresInSeconds };
        const made = await client.send('POST', '/v1/tokens', tokenCreated, { body });
        // the bare token, so that TOKEN=$(liftlock token create …) does
        if (format === 'json') writeJson(output, made);
        else output.write(`${made.token}\n`);
      });
    });
}

function listTokens(output: Output): Command {
  return apiCommand('list')
    .description('the tokens that are good')
    .action(async (options: ApiOptions) => {
      await withSession(output, options, async ({ client, format }) => {
        const { items } = await client.get('/v1/tokens', tokenPage);
        if (format === 'json') writeJson(output, items);
        else if (items.length === 0) output.write('none\n');
        else {
          const rows = items.map((one) => [
            one.name,
            one.role,
            age(one.createdAt, new Date()),
            one.createdBy,
            one.expiresAt ?? 'never',
          ]);
          output.write(table([['NAME', 'ROLE', 'AGE', 'BY', 'EXPIRES'], ...rows]));
        }
      });
    });
}

function revokeToken(output: Output): Command {
  return apiCommand('revoke')
    .description('revoke a token, at once')
    .argument('<name>')
    .action(async (name: string, options: ApiOptions) => {
      await withSession(output, options, async ({ client, format }) => {
        await client.send('DELETE', `/v1/tokens/${encodeURIComponent(name)}`, z.undefined());
        if (format === 'json') writeJson(output, { name, revoked: true });
        else output.write(`${name} is revoked\n`);
      });
    });
}
