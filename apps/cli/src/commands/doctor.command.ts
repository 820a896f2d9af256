import type { Command } from 'commander';
import { findAddress } from '../api/address.js';
import { ApiClient } from '../api/client.js';
import { diagnose, type Finding } from '../doctor/diagnose.js';
import { readEnv } from '../env.js';
import { EXIT } from '../exit-codes.js';
import { writeJson, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';
import { coloursOf, type Colours } from '../show/colours.js';
import { printable } from '../show/text.js';
import { apiCommand } from './api-command.js';
import type { ApiOptions } from './api-session.js';

export function doctorCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('doctor')
    .description(
      'what is wrong with this machine and this fleet, and what to do; exit code 1 when something is',
    )
    .action(async (options: ApiOptions) => {
      const env = readEnv();
      const findings = await diagnose(() => new ApiClient(findAddress(options, env)));
      if (options.output === 'json') writeJson(output, findings);
      else {
        const colours = coloursOf(output.isTerminal && env.colours);
        output.write(findings.map((one) => `${findingLine(one, colours)}\n`).join(''));
      }
      if (findings.some(({ level }) => level === 'bad')) setExit(EXIT.failed);
    });
}

function findingLine({ level, what, say }: Finding, colours: Colours): string {
  const marks = {
    good: colours.good('ok  '),
    warn: colours.warn('warn'),
    bad: colours.bad('BAD '),
  };
  return `${marks[level]}  ${what.padEnd(14)} ${printable(say)}`;
}
