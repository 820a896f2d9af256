import { isDeepStrictEqual } from 'node:util';
import { imageEntries } from './settings-image.js';
import type { ContainerInfo, ImageInfo } from './engine.js';
import { LABEL_PREFIX, LABELS } from './labels.js';
import { mountSettings } from './settings-mounts.js';
import { links, namespaceModes } from './settings-references.js';
import type { RestartPolicy } from './restart-policy.js';

type Fields = Record<string, unknown>;

export interface SettingsInput {
  /** The container that is replaced: stopped, so that what only a run gives it (addresses) is gone. */
  readonly old: ContainerInfo;
  readonly oldImage: ImageInfo;
  readonly newImage: ImageInfo;
  /** What stands today for the containers that its settings name, as far as there is one, by the name it knows them by. */
  readonly referred: ReadonlyMap<string, ContainerInfo>;
  /** Host name of the engine's machine; counts only for a container in the host's network. */
  readonly engineHost: string;
  /** As it was before the old one was stopped. */
  readonly restartPolicy: RestartPolicy;
  /** What the release wants otherwise; null removes a variable. */
  readonly env: Readonly<Record<string, string | null>>;
  readonly command?: readonly string[] | undefined;
  /** The marks of who makes it. */
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The body of the engine's create call for the new container: all that a person once set for the old one, and nothing that
 * came from the old one's image (the new image brings its own). What equals the image's value counts as the image's: the
 * engine itself does not remember where a value came from. Networks are set apart (`networkSettings`).
 */
export function containerSettings(input: SettingsInput): Fields {
  const config = input.old.Config as unknown as Fields;
  const image = (input.oldImage.Config ?? {}) as unknown as Fields;
  const mounts = mountSettings(input.old, input.referred);
  return {
    ...plainFields(config, image),
    ...commandFields(config, image, input.command),
    ...hostNames(input.old, input.engineHost),
    ...partly('ExposedPorts', keyDifference(config['ExposedPorts'], image['ExposedPorts'])),
    ...partly('Volumes', keyDifference(config['Volumes'], image['Volumes'])),
    ...partly('Healthcheck', fieldDifference(config['Healthcheck'], image['Healthcheck'])),
    Env: environment(input),
    Labels: {
      ...labelsOfUser(config['Labels'], image['Labels']),
      ...input.labels,
      [LABELS.restartPolicy]: JSON.stringify(input.restartPolicy),
    },
    Image: input.newImage.Id,
    HostConfig: {
      ...input.old.HostConfig,
      ...mounts,
      ...namespaceModes(input.old, input.referred),
      Links: links(input.old.HostConfig.Links, input.referred),
      RestartPolicy: input.restartPolicy,
      ContainerIDFile: '',
    },
  };
}

/** Fields with rules of their own; the rest goes by "differs from the image's". */
const OWN_RULE = new Set([
  ...['Env', 'Labels', 'Cmd', 'Entrypoint', 'ExposedPorts', 'Volumes', 'Healthcheck'],
  ...['Hostname', 'Domainname', 'Image'],
  // says how the command is written (Windows), and so goes with it
  'ArgsEscaped',
]);

function plainFields(config: Fields, image: Fields): Fields {
  return Object.fromEntries(
    Object.entries(config).filter(
      ([key, value]) =>
        !OWN_RULE.has(key) &&
        value !== null &&
        value !== undefined &&
        !isDeepStrictEqual(value, image[key]),
    ),
  );
}

/**
 * A command belongs to its entrypoint: the engine ignores the image's command as soon as the entrypoint is the user's, also
 * when a user wrote the image's own; that it did so is seen by there being no command.
 */
function commandFields(config: Fields, image: Fields, wanted?: readonly string[]): Fields {
  const entrypoint = list(config['Entrypoint']);
  const command = list(config['Cmd']);
  const ownEntrypoint =
    !isDeepStrictEqual(entrypoint, list(image['Entrypoint'])) ||
    (command.length === 0 && list(image['Cmd']).length > 0);
  const ownCommand = ownEntrypoint || !isDeepStrictEqual(command, list(image['Cmd']));
  const { ArgsEscaped } = config;
  return {
    // `[""]` is how the engine is told that there is to be none
    ...(ownEntrypoint ? { Entrypoint: entrypoint.length === 0 ? [''] : entrypoint } : {}),
    ...(wanted !== undefined ? { Cmd: wanted } : ownCommand ? { Cmd: command } : {}),
    ...(wanted === undefined && ownCommand && ArgsEscaped !== undefined ? { ArgsEscaped } : {}),
  };
}

/** Unset, the engine takes the container's short id; in another's network or the host's it takes that one's name. */
function hostNames(old: ContainerInfo, engineHost: string): Fields {
  const { Hostname, Domainname } = old.Config;
  const mode = old.HostConfig.NetworkMode ?? '';
  if (mode.startsWith('container:') || old.HostConfig.UTSMode === 'host') return {};
  const given = Hostname === old.Id.slice(0, 12) || (mode === 'host' && Hostname === engineHost);
  return {
    ...(given || Hostname === '' ? {} : { Hostname }),
    ...(Domainname === '' ? {} : { Domainname }),
  };
}

function environment(input: SettingsInput): string[] {
  const ofOldImage = new Set(imageEntries(input.oldImage));
  const ofNewImage = new Set(imageEntries(input.newImage).map(nameOfEntry));
  const kept = (input.old.Config.Env ?? []).filter(
    (entry) => !ofOldImage.has(entry) && !Object.hasOwn(input.env, nameOfEntry(entry)),
  );
  const wanted = Object.entries(input.env).flatMap(([name, value]) => {
    if (value !== null) return [`${name}=${value}`];
    // a name alone takes away what the image sets
    return ofNewImage.has(name) ? [name] : [];
  });
  return [...kept, ...wanted];
}

function nameOfEntry(entry: string): string {
  const end = entry.indexOf('=');
  return end < 0 ? entry : entry.slice(0, end);
}

function labelsOfUser(labels: unknown, ofImage: unknown): Fields {
  const image = fields(ofImage);
  return Object.fromEntries(
    Object.entries(fields(labels)).filter(
      ([key, value]) => value !== image[key] && !key.startsWith(LABEL_PREFIX),
    ),
  );
}

function keyDifference(value: unknown, ofImage: unknown): Fields {
  const image = fields(ofImage);
  return Object.fromEntries(
    Object.entries(fields(value)).filter(([key]) => !Object.hasOwn(image, key)),
  );
}

function fieldDifference(value: unknown, ofImage: unknown): Fields {
  const image = fields(ofImage);
  return Object.fromEntries(
    Object.entries(fields(value)).filter(([key, one]) => !isDeepStrictEqual(one, image[key])),
  );
}

function partly(key: string, value: Fields): Fields {
  return Object.keys(value).length === 0 ? {} : { [key]: value };
}

function fields(value: unknown): Fields {
  return value !== null && typeof value === 'object' ? (value as Fields) : {};
}

function list(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.map(String) : [];
}
