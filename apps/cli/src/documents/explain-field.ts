import { z } from 'zod';
import { LiftlockError } from '#kernel';
import { table } from '../show/text.js';

/** As much of JSON Schema as the schemas of the documents use. */
interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly pattern?: string;
}

const schemaOf: z.ZodType<Schema> = z.looseObject({}) as unknown as z.ZodType<Schema>;

/** The fields at one place of a document, with their types and defaults. @throws LiftlockError naming the fields that there are. */
export function explainField(root: unknown, kind: string, fields: readonly string[]): string {
  let at = schemaOf.parse(withoutReferences(root));
  fields.forEach((field, index) => {
    const choices = variantsOf(inside(at)).flatMap((one) => one.properties?.[field] ?? []);
    const [found] = choices;
    if (found === undefined) {
      const known = [
        ...new Set(variantsOf(inside(at)).flatMap((one) => Object.keys(one.properties ?? {}))),
      ];
      throw new LiftlockError(
        'invalid_request',
        `${[kind, ...fields.slice(0, index)].join('.')} has no field ${field}: ${known.join(', ') || 'it has none'}`,
      );
    }
    at = found;
  });
  const head = `${[kind, ...fields].join('.')}: ${typeOf(at)}\n`;
  const rows = variantsOf(inside(at)).flatMap((one) =>
    Object.entries(one.properties ?? {}).map(([name, field]) => [
      `  ${name}`,
      typeOf(field),
      noteOf(field, one.required?.includes(name) === true),
    ]),
  );
  return rows.length === 0 ? head : head + table(rows);
}

const REFERENCE = /^#\/\$defs\/(.+)$/;
/** What refers to itself, and has no name of its own: any JSON. */
const OWN_NAME = /^__schema/;

/** With each definition in the place where it is referred to. */
function withoutReferences(root: unknown): unknown {
  const { $defs = {} } = root as { readonly $defs?: Readonly<Record<string, unknown>> };
  const at = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(at);
    const { $ref } = value as { readonly $ref?: string };
    const [, name] = REFERENCE.exec($ref ?? '') ?? [];
    if (name !== undefined) return OWN_NAME.test(name) ? { type: 'JSON' } : at($defs[name]);
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== '$defs')
        .map(([key, one]) => [key, at(one)]),
    );
  };
  return at(root);
}

/** What a list or a map is made of, else the thing itself. */
function inside(schema: Schema): Schema {
  if (schema.items !== undefined) return inside(schema.items);
  if (typeof schema.additionalProperties === 'object' && schema.properties === undefined)
    return inside(schema.additionalProperties);
  return schema;
}

function variantsOf(schema: Schema): readonly Schema[] {
  const variants = schema.oneOf ?? schema.anyOf;
  return variants === undefined ? [schema] : variants.flatMap(variantsOf);
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((one) => JSON.stringify(one)).join(' | ');
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants !== undefined) return [...new Set(variants.map(typeOf))].join(' | ');
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (typeof schema.additionalProperties === 'object' && schema.properties === undefined)
    return `map of ${typeOf(schema.additionalProperties)}`;
  return schema.type ?? 'anything';
}

function noteOf(schema: Schema, isRequired: boolean): string {
  // what has a default is never asked for
  if (schema.default !== undefined) return `default ${JSON.stringify(schema.default)}`;
  return isRequired ? 'required' : '';
}
