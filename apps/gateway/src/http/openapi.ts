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

/** Collects the named schemas that the operations use. */
class Components {
  private readonly used = new Map<string, { schema: z.ZodType; io: 'input' | 'output' }>();

  schema(schema: z.ZodType, io: 'input' | 'output'): Json {
    const named = this.nameOf(schema, io);
    if (named !== undefined) return { $ref: `#/components/schemas/${named}` };
    if (schema instanceof z.ZodObject) return this.object(schema, io);
    const { $schema: _, ...json } = toJsonSchema(schema, io);
    return json;
  }

  all(): Json {
    const done: Json = {};
    for (const [name, { schema, io }] of [...this.used].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const { $schema: _, $defs: __, ...json } = toJsonSchema(schema, io);
      done[name] = __ === undefined ? json : inlined(json, name, __ as Json, done);
    }
    return done;
  }

  private nameOf(schema: z.ZodType, io: 'input' | 'output'): string | undefined {
    const found = NAMED.find(([, one]) => one === schema)?.[0];
    if (found === undefined) return undefined;
    this.used.set(found, { schema, io });
    return found;
  }

  /** A page of named things refers to them. */
  private object(schema: z.ZodObject, io: 'input' | 'output'): Json {
    const { $schema: _, ...json } = toJsonSchema(schema, io);
    const properties = (json['properties'] ?? {}) as Json;
    for (const [key, field] of Object.entries(schema.shape)) {
      if (!(field instanceof z.ZodArray)) continue;
      const named = this.nameOf(field.element as z.ZodType, io);
      if (named !== undefined)
        properties[key] = { type: 'array', items: { $ref: `#/components/schemas/${named}` } };
    }
    return json;
  }
}

/** What a schema defines for itself becomes a component, under a name that says whose it is. */
function inlined(json: Json, name: string, definitions: Json, into: Json): Json {
  const rename = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll('#/$defs/', `#/components/schemas/${name}.`));
  for (const [key, definition] of Object.entries(definitions))
    into[`${name}.${key}`] = rename(definition);
  return rename(json) as Json;
}
