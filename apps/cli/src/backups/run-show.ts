import { backupView, type BackupView } from '#contracts';
import { withSession, type ApiOptions } from '../commands/api-session.js';
import { writeJson, type Output } from '../output.js';
import { bytes, printable } from '../show/text.js';
import { stateText } from './state-text.js';

export interface SiteOptions extends ApiOptions {
  readonly site?: string;
}

export function backupPath(upgrade: string, backup: string): string {
  return `/v1/backups/${encodeURIComponent(upgrade)}/${encodeURIComponent(backup)}`;
}

/** @returns whether nothing is known against it */
export async function runShow(
  upgrade: string,
  backup: string,
  { site, ...options }: SiteOptions,
  output: Output,
): Promise<boolean> {
  return withSession(output, options, async ({ client, format }) => {
    const view = await client.get(backupPath(upgrade, backup), backupView, { site });
    if (format === 'json') writeJson(output, view);
    else output.write(described(view));
    return (
      view.problem === undefined && view.present !== false && view.verification?.state !== 'corrupt'
    );
  });
}

/** A line for each thing that is known. */
export function described(view: BackupView): string {
  const { manifest, verification } = view;
  const image = manifest?.image;
  const quiesced = manifest?.quiesced;
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['backup', `${view.backup} of ${view.upgrade}`],
    ['of', `${view.environment}/${view.application} ${view.instance}`],
    ['made', view.createdAt],
    ['location', view.location],
    ['state', stateText(view)],
    ['problem', view.problem ?? verification?.problem],
    ['verified', verification?.finishedAt],
    ['half restored', view.incompleteSince && `since ${view.incompleteSince}`],
    ['restored', view.restoredAt],
    ['data', `${view.files} files, ${bytes(view.bytes)}${countsText(manifest?.counts)}`],
    ['archive', `${bytes(view.archiveBytes)}, ${view.archiveSha256}`],
    ['restic', resticText(manifest)],
    ['encrypted to', manifest?.encryptedTo?.join(', ')],
    ['made with', manifest && Object.values(manifest.archive.tools).join('; ')],
    ['container', manifest && `${manifest.container} on ${manifest.target}`],
    ['folder', manifest?.folder],
    ['paths', manifest?.paths.join(', ')],
    [
      'mounts',
      manifest?.mounts
        ?.map(({ kind, source, destination }) => `${kind} ${source} at ${destination}`)
        .join(', '),
    ],
    ['image', image && [image.reference, image.id, ...image.digests].join(', ')],
    ['consistency', quiescedText(view.consistency, quiesced)],
    ['fuzzy', fuzzyText(view)],
    ['manifest', manifest && `version ${manifest.version}, ${manifest.digest}`],
  ];
  return lines
    .map(([name, text]) =>
      text === undefined || text === '' ? '' : `${name.padEnd(14)} ${printable(text)}\n`,
    )
    .join('');
}

function resticText(manifest: BackupView['manifest']): string | undefined {
  const restic = manifest?.archive.restic;
  if (restic === undefined) return undefined;
  return `snapshot ${restic.snapshot}, ${bytes(restic.addedBytes)} of it new; repository ${restic.repository} of its folder`;
}

function countsText(counts: Readonly<Record<string, number>> | undefined): string {
  const others = Object.entries(counts ?? {}).filter(([type]) => type !== 'file');
  return others.length === 0 ? '' : `; ${others.map(([type, n]) => `${type} ${n}`).join(', ')}`;
}

function quiescedText(
  how: string,
  quiesced: NonNullable<BackupView['manifest']>['quiesced'],
): string {
  const { ran = [], hooks = {} } = quiesced ?? {};
  return [
    how,
    ...(ran.length === 0 ? [] : [`on the data ran ${ran.join(', ')}`]),
    ...(hooks.before === undefined ? [] : [`before it ${hooks.before}`]),
    ...(hooks.after === undefined ? [] : [`behind it ${hooks.after}`]),
  ].join('; ');
}

function fuzzyText({ fuzzy, manifest }: BackupView): string | undefined {
  if (fuzzy === undefined) return undefined;
  const some = manifest?.fuzzy?.some ?? [];
  return `${fuzzy} files and folders changed while they were read${some.length === 0 ? '' : `: ${some.join(', ')}`}`;
}
