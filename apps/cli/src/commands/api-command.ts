import { Command, InvalidArgumentError, Option } from 'commander';

/** A command that talks to the API: `--server`, `--token` and `-o` are the same for all of them. */
export function apiCommand(name: string, formats: readonly string[] = ['text', 'json']): Command {
  return new Command(name)
    .option(
      '--server <url>',
      'address of the API (LIFTLOCK_SERVER); default: the fleet of ./liftlock up',
    )
    .option('--token <token>', 'bearer token (LIFTLOCK_TOKEN)')
    .addOption(
      new Option('-o, --output <format>', formats.join(', ')).choices(formats).default('text'),
    );
}

/** A whole number from `min` on, for options. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(
      max === Number.MAX_SAFE_INTEGER
        ? `It must be a whole number from ${min} on.`
        : `It must be a whole number from ${min} to ${max}.`,
    );
  };
}
