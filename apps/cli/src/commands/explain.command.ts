import { Command, Option } from 'commander';
import { DOCUMENT_COLLECTIONS, jsonSchemaOf } from '#contracts';
import { explainField } from '../documents/explain-field.js';
import { writeJson, type Output } from '../output.js';
import { collectionNamed } from './get.command.js';

export function explainCommand(output: Output): Command {
  return new Command('explain')
    .description(
      'the fields of a kind of document, or of a part of it: explain application.spec.components',
    )
    .argument('<kind[.field...]>')
    .addOption(
      new Option('-o, --output <format>', 'text, or json: its JSON Schema')
        .choices(['text', 'json'])
        .default('text'),
    )
    .action((place: string, options: { readonly output: 'text' | 'json' }) => {
      const [kind = '', ...fields] = place.split('.');
      const collections: Readonly<
        Record<string, (typeof DOCUMENT_COLLECTIONS)[keyof typeof DOCUMENT_COLLECTIONS]>
      > = DOCUMENT_COLLECTIONS;
      const found = collections[collectionNamed(kind)];
      if (found === undefined) return;
      const schema = jsonSchemaOf(found);
      if (options.output === 'json') writeJson(output, schema);
      else output.write(explainField(schema, found, fields));
    });
}
