import type { Command } from 'commander';
import { z } from 'zod';
import { writeJson, type Output } from '../output.js';
import { apiCommand, wholeNumber } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';
import { collectionNamed } from './get.command.js';

interface DeleteOptions extends ApiOptions {
  readonly ifGeneration?: number;
}

export function deleteCommand(output: Output): Command {
  return apiCommand('delete')
    .description('delete a document that no other names; what it said stays in its history')
    .argument('<kind>')
    .argument('<name>')
    .option('--if-generation <number>', 'only if it is the present one', wholeNumber(1))
    .action(async (kind: string, name: string, options: DeleteOptions) => {
      const collection = collectionNamed(kind);
      const { ifGeneration } = options;
      await withSession(output, options, async ({ client, format }) => {
        const headers: Record<string, string> =
          ifGeneration === undefined ? {} : { 'if-match': `"${ifGeneration}"` };
        const path = `/v1/${collection}/${encodeURIComponent(name)}`;
        await client.send('DELETE', path, z.undefined(), { headers });
        if (format === 'json') writeJson(output, { kind: collection, name, outcome: 'deleted' });
        else output.write(`${collection.replace(/s$/, '')}/${name} deleted\n`);
      });
    });
}
