import { stringify } from 'yaml';
import { releaseSuffix, type AdoptedDocuments } from './adopted-documents.js';

/** The documents as a file to apply, with what comes next as comments. */
export function adoptedText(
  documents: AdoptedDocuments,
  environment: string,
  url: string,
  warnings: readonly string[],
): string {
  const { application, release, writtenFolders } = documents;
  const name = application.metadata.name;
  const notes = [
    `${url}, as it ran when this was written.`,
    ...(documents.environment === undefined
      ? [`The environment ${environment} is stored already and has the target.`]
      : []),
    ...(writtenFolders.length === 0
      ? []
      : [
          `It also writes to ${writtenFolders.join(', ')}, folders of the host: what of them is its data goes to data.paths.`,
        ]),
    ...warnings,
  ];
  const parts = [documents.environment, application, release]
    .filter((document) => document !== undefined)
    .map((document) => stringify(document, { lineWidth: 0 }));
  return [
    comment(notes.join('\n')),
    parts.join('---\n'),
    comment(nextRelease(release, environment, name)),
  ].join('');
}

/** Applied as it is, it says nothing: a person takes the marks away. */
function nextRelease(
  release: AdoptedDocuments['release'],
  environment: string,
  application: string,
): string {
  const next = 'NEXT';
  const components = Object.fromEntries(
    Object.entries(release.spec.components ?? {}).map(([name, { image }]) => [
      name,
      { image: `${image.replace(/@.*$/, '').replace(/:[\w.-]+$/, '')}:${next}` },
    ]),
  );
  const document = {
    ...release,
    metadata: { name: `${application}-${releaseSuffix(next)}` },
    spec: { ...release.spec, version: next, components },
  };
  return [
    '',
    'The next version: write its image. A Docker host loads or pulls it before (or give `archive`, or a digest), nodes of a cluster pull it. Then:',
    '  liftlock apply -f THIS_FILE',
    `  liftlock upgrade ${environment} ${application} ${document.metadata.name}`,
    '---',
    // quoted: a person who writes 2.0 in the place of NEXT means no number
    stringify(document, {
      lineWidth: 0,
      defaultStringType: 'QUOTE_DOUBLE',
      defaultKeyType: 'PLAIN',
    }).trimEnd(),
  ].join('\n');
}

function comment(text: string): string {
  return text
    .split('\n')
    .map((line) => `# ${line}`.trimEnd() + '\n')
    .join('');
}
