import { Command, InvalidArgumentError } from 'commander';
import type { Registries } from '#oci';
import { connectRegistries } from '../mirror/connect.js';
import {
  list,
  registryOptions,
  withWords,
  wordsOf,
  type RegistryOptions,
} from '../mirror/registry-options.js';
import { runCopy } from '../mirror/run-copy.js';
import { listTags, runInspect } from '../mirror/run-inspect.js';
import type { GarbageOptions, MirroredOptions } from '../mirror/run-mirrored.js';
import type { Format, Output } from '../output.js';
import { EXIT } from '../exit-codes.js';
import type { SetExit } from '../run-command.js';
import { apiCommand, wholeNumber } from './api-command.js';

interface Common extends RegistryOptions {
  readonly output: Format;
}

interface Copying extends Common {
  readonly platform?: readonly string[];
  readonly referrers: boolean;
  readonly thorough: boolean;
  readonly alsoTag?: readonly string[];
  readonly key?: readonly string[];
}

interface Syncing extends Common {
  readonly key?: readonly string[];
}

/** Images from registry or archive to registry, without the fleet; and the fleet's record of what it mirrored. */
export function mirrorCommand(output: Output, setExit: SetExit): Command {
  return new Command('mirror')
    .description(
      'copy images between registries and from archives, without the fleet; and what its upgrades mirrored',
    )
    .addCommand(copyCommand(output))
    .addCommand(syncCommand(output, setExit))
    .addCommand(inspectCommand(output))
    .addCommand(tagsCommand(output))
    .addCommand(listCommand(output))
    .addCommand(garbageCommand(output, setExit));
}

function copyCommand(output: Output): Command {
  return common('copy')
    .description('copy one image with all that belongs to it; its digest stays the same')
    .argument(
      '<source>',
      'REGISTRY/NAME:TAG, …@DIGEST, oci-archive:PATH[:NAME], docker-archive:PATH[:NAME]',
    )
    .argument('<target>', 'REGISTRY/NAME:TAG')
    .option('--platform <os/arch>', 'of an index only this one; may be repeated', list)
    .option('--also-tag <tag>', 'another tag at the target; may be repeated', list)
    .option('--no-referrers', 'leave signatures, SBOMs and attestations behind')
    .option(
      '--thorough',
      'look at each image of an index, although the target has the index',
      false,
    )
    .option(
      '--key <file>',
      'PEM of a public key that must have signed it (cosign); may be repeated',
      list,
    )
    .action(async (source: string, target: string, options: Copying) => {
      const registries = connected(options);
      try {
        const { platform = [], alsoTag = [], key = [], output: format } = options;
        const wanted = { ...options, platform, alsoTag, key, format };
        await runCopy(registries, source, target, wanted, output);
      } finally {
        registries.close();
      }
    });
}

function syncCommand(output: Output, setExit: SetExit): Command {
  return common('sync')
    .description('copy all images of a list; one that fails fails alone, and the exit code is 1')
    .argument('<file>', 'YAML: target, registries, images (docs/mirror.md)')
    .option(
      '--key <file>',
      'PEM of a public key that must have signed them (cosign); may be repeated',
      list,
    )
    .action(async (file: string, options: Syncing) => {
      // what reads YAML takes longer to load than a copy of what is there takes
      const { readSyncFile } = await import('../mirror/sync-file.js');
      const { runSync } = await import('../mirror/run-sync.js');
      const wanted = readSyncFile(file);
      const { words, bytesPerSecond } = wordsOf(options);
      const registries = connectRegistries(
        withWords(wanted.registries, words),
        bytesPerSecond ?? wanted.bytesPerSecond,
      );
      try {
        const whole = await runSync(
          registries,
          wanted,
          { key: options.key ?? [], format: options.output },
          output,
        );
        if (!whole) setExit(EXIT.failed);
      } finally {
        registries.close();
      }
    });
}

function inspectCommand(output: Output): Command {
  return common('inspect')
    .description('what an image is made of, and what refers to it')
    .argument('<image>', 'as the source of copy')
    .action(async (image: string, options: Common) => {
      const registries = connected(options);
      try {
        await runInspect(registries, image, options.output, output);
      } finally {
        registries.close();
      }
    });
}

function tagsCommand(output: Output): Command {
  return common('tags')
    .description('the tags of a repository')
    .argument('<repository>')
    .action(async (repository: string, options: Common) => {
      const registries = connected(options);
      try {
        await listTags(registries, repository, options.output, output);
      } finally {
        registries.close();
      }
    });
}

function listCommand(output: Output): Command {
  return ofFleet('list')
    .description('images that upgrades brought to mirrors, the last used first')
    .action(async (options: MirroredOptions) => {
      // what asks the API takes longer to load than a copy of what is there takes
      const { runList } = await import('../mirror/run-mirrored.js');
      await runList(options, output);
    });
}

function garbageCommand(output: Output, setExit: SetExit): Command {
  return ofFleet('garbage')
    .description('of these, what no release names any more and no upgrade holds')
    .option('--delete', 'take it away from the mirror; what is needed by then stays', false)
    .action(async (options: GarbageOptions) => {
      const { runGarbage } = await import('../mirror/run-mirrored.js');
      if (!(await runGarbage(options, output))) setExit(EXIT.failed);
    });
}

function ofFleet(name: string): Command {
  return apiCommand(name)
    .option('--environment <name>')
    .option('--site <name>', 'default: main')
    .option('--limit <number>', 'how many, at most 500', wholeNumber(1, 500), 100);
}

function common(name: string): Command {
  return registryOptions(new Command(name)).option(
    '-o, --output <format>',
    'text or json',
    format,
    'text',
  );
}

function connected(options: RegistryOptions): Registries {
  const { words, bytesPerSecond } = wordsOf(options);
  return connectRegistries(words, bytesPerSecond);
}

function format(value: string): Format {
  if (value === 'text' || value === 'json') return value;
  throw new InvalidArgumentError('text or json');
}
