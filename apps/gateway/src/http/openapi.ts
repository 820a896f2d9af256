import { z } from 'zod';
import {
  auditEntry,
  historyEvent,
  plan,
  problem,
  step,
  storedDocument,
  tokenCreated,
  tokenView,
  upgradeRequest,
  upgradeView,
  environmentDocument,
  applicationDocument,
  releaseDocument,
} from '#contracts';
import type { EndpointContract } from './endpoint-contract.js';
import { ENDPOINTS, SERVICE_ROUTES } from './endpoints.js';

type Json = { [key: string]: unknown };

/** Schemas that get a name of their own. What is read and what is written differ by defaults: hence two of some. */
const NAMED: ReadonlyArray<readonly [string, z.ZodType]> = [
  ['Upgrade', upgradeView],
  ['UpgradeRequest', upgradeRequest],
  ['HistoryEvent', historyEvent],
  ['Plan', plan],
  ['Step', step],
  ['StoredDocument', storedDocument],
  ['Environment', environmentDocument],
  ['Application', applicationDocument],
  ['Release', releaseDocument],
  ['Token', tokenView],
  ['TokenCreated', tokenCreated],
  ['AuditEntry', auditEntry],
  ['Problem', problem],
];

/** OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), from the table of endpoints and the contracts' schemas. */
export function openApiDocument(): Json {
  const paths: Record<string, Json> = {};
  const components = new Components();
  for (const [name, endpoint] of Object.entries<EndpointContract>(ENDPOINTS)) {
    const path = endpoint.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[endpoint.method.toLowerCase()] = operation(name, endpoint, components);
  }
  for (const [path, access] of Object.entries(SERVICE_ROUTES)) {
    paths[path] = {
      get: {
        operationId: path.slice(1).replaceAll('/', '-'),
        tags: ['about'],
        ...(access === 'open' ? { security: [] } : { 'x-liftlock-roles': [...access, 'admin'] }),
        responses: { 200: { description: 'OK' } },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Liftlock',
      version: '1',
      description:
        'Raises a running fleet of containers from one version to the next, and lets it down again, data included.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      responses: {
        Problem: {
          description: 'What went wrong, and which fields are',
          content: { 'application/problem+json': { schema: components.schema(problem, 'output') } },
        },
      },
      schemas: components.all(),
    },
  };
}

function operation(name: string, endpoint: EndpointContract, components: Components): Json {
  const { status, reply, replyType = 'application/json', also = {}, body, yaml } = endpoint;
  const content =
    reply === undefined
      ? {}
      : { content: { [replyType]: { schema: components.schema(reply, 'output') } } };
  const types = yaml === true ? ['application/json', 'application/yaml'] : ['application/json'];
  return {
    operationId: name.replace(':', '-'),
    summary: endpoint.summary,
    tags: [endpoint.tag],
    'x-liftlock-roles': [...endpoint.roles.filter((one) => one !== 'admin'), 'admin'],
    parameters: [
      ...parameters('path', endpoint.params),
      ...parameters('query', endpoint.query),
      ...parameters('header', endpoint.headers),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: endpoint.bodyOptional !== true,
            content: Object.fromEntries(
              types.map((type) => [type, { schema: components.schema(body, 'input') }]),
            ),
          },
        }),
    responses: {
      [status]: { description: 'Done', ...content },
      ...Object.fromEntries(
        Object.entries(also).map(([code, description]) => [
          code,
          { description, ...(code.startsWith('2') ? content : {}) },
        ]),
      ),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function parameters(place: 'path' | 'query' | 'header', schema: z.ZodObject | undefined): Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, one]) => {
    const { $schema: _, ...json } = toJsonSchema(one as z.ZodType, 'input');
    const required = place === 'path' || !(one as z.ZodType).safeParse(undefined).success;
    return { name, in: place, required, schema: json };
  });
}

function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  return z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' }) as Json;
}

/** Collects the named schemas that the operations use, and what schemas define for several places of theirs. */
class Components {
  private readonly used = new Map<string, { schema: z.ZodType; io: 'input' | 'output' }>();
  private readonly defined = new Map<string, string>();

  schema(schema: z.ZodType, io: 'input' | 'output'): Json {
    const named = this.nameOf(schema, io);
    if (named !== undefined) return { $ref: `#/components/schemas/${named}` };
    if (schema instanceof z.ZodObject) return this.object(schema, io);
    return this.json(schema, io);
  }

  all(): Json {
    const done = Object.fromEntries(
      [...this.used].map(([name, { schema, io }]) => [name, this.json(schema, io)]),
    );
    for (const [name, text] of this.defined) done[name] = JSON.parse(text) as Json;
    return Object.fromEntries(Object.entries(done).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  private nameOf(schema: z.ZodType, io: 'input' | 'output'): string | undefined {
    const found = NAMED.find(([, one]) => one === schema)?.[0];
    if (found === undefined) return undefined;
    this.used.set(found, { schema, io });
    return found;
  }

  /** A page of named things refers to them: what they define is told there. */
  private object(schema: z.ZodObject, io: 'input' | 'output'): Json {
    const items = Object.entries(schema.shape).flatMap(([key, field]) => {
      if (!(field instanceof z.ZodArray)) return [];
      const named = this.nameOf(field.element as z.ZodType, io);
      return named === undefined ? [] : [[key, named] as const];
    });
    const json = this.json(
      items.length === 0 ? schema : schema.omit(maskOf(items.map(([key]) => key))),
      io,
    );
    const properties = (json['properties'] ?? {}) as Json;
    const refs = Object.fromEntries(
      items.map(([key, named]) => [
        key,
        { type: 'array', items: { $ref: `#/components/schemas/${named}` } },
      ]),
    );
    if (items.length === 0) return json;
    const required = Object.keys(schema.shape).filter(
      (key) => key in refs || ((json['required'] ?? []) as string[]).includes(key),
    );
    const ordered = Object.keys(schema.shape).map((key) => [key, refs[key] ?? properties[key]]);
    return { ...json, properties: Object.fromEntries(ordered), required };
  }

  /** What it defines becomes a component under the same name, since no two definitions have one; of what is written, `…Input`. */
  private json(schema: z.ZodType, io: 'input' | 'output'): Json {
    const { $schema: _, $defs = {}, ...json } = toJsonSchema(schema, io);
    const names = Object.keys($defs as Json).map(
      (key) => [key, nameOfDefinition(key, io)] as const,
    );
    const renamed = (value: unknown): string =>
      names.reduce(
        (text, [key, name]) =>
          text.replaceAll(`"#/$defs/${key}"`, `"#/components/schemas/${name}"`),
        JSON.stringify(value),
      );
    for (const [key, name] of names) {
      const text = renamed(($defs as Json)[key]);
      const known = this.defined.get(name);
      if (known !== undefined && known !== text) throw new Error(`two schemas define ${name}`);
      this.defined.set(name, text);
    }
    return JSON.parse(renamed(json)) as Json;
  }
}

const maskOf = (keys: readonly string[]): Record<string, true> =>
  Object.fromEntries(keys.map((key) => [key, true as const]));

/** What has no name of its own refers to itself: it is any JSON. */
function nameOfDefinition(key: string, io: 'input' | 'output'): string {
  if (key.startsWith('__')) return 'Json';
  return io === 'input' ? `${key}Input` : key;
}
