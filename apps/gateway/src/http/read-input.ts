import type { Request } from 'express';
import type { z } from 'zod';
import { LiftlockError, type Issue } from '#kernel';
import { issuesOf, parseJson, parseYaml, type SourceDocument } from '#source';
import type { EndpointContract } from './endpoint-contract.js';
import { readBody } from './read-body.js';

type Parsed<S> = S extends z.ZodType ? z.infer<S> : undefined;

/** What a request says, checked against its endpoint. */
export interface Input<E extends EndpointContract> {
  readonly params: Parsed<E['params']>;
  readonly query: Parsed<E['query']>;
  readonly headers: Parsed<E['headers']>;
  readonly body: Parsed<E['body']>;
}

/** @throws LiftlockError `invalid_request`, or `invalid_document` for a body, whose issues name each field that is wrong. */
export async function readInput<E extends EndpointContract>(
  endpoint: E,
  request: Request,
): Promise<Input<E>> {
  const params = check(endpoint.params, request.params, '/path');
  const query = check(endpoint.query, request.query, '/query');
  if (endpoint.query === undefined) refuseQuery(request);
  const headers = check(endpoint.headers, request.headers, '/headers');
  const body =
    endpoint.body === undefined ? undefined : await readDocument(endpoint, endpoint.body, request);
  // each was parsed by the very schema that its type comes from
  return { params, query, headers, body } as unknown as Input<E>;
}

function check(schema: z.ZodType | undefined, value: unknown, base: string): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw refusal('invalid_request', issuesOf(result.error, undefined, base));
}

function refuseQuery(request: Request): void {
  const unknown = Object.keys(request.query);
  if (unknown.length === 0) return;
  throw refusal(
    'invalid_request',
    unknown.map((key) => ({ pointer: `/query/${key}`, message: 'unknown parameter' })),
  );
}

async function readDocument(
  endpoint: EndpointContract,
  schema: z.ZodType,
  request: Request,
): Promise<unknown> {
  const source = await readSource(endpoint, request);
  const result = schema.safeParse(source.value);
  if (result.success) return result.data;
  const code = endpoint.yaml === true ? 'invalid_document' : 'invalid_request';
  throw refusal(code, issuesOf(result.error, source));
}

async function readSource(endpoint: EndpointContract, request: Request): Promise<SourceDocument> {
  const type = mediaType(request);
  if (type === undefined && endpoint.bodyOptional === true && isEmpty(request)) return plain({});
  switch (type) {
    case 'application/json': {
      const text = await readBody(request);
      if (text === '' && endpoint.bodyOptional === true) return plain({});
      return plain(parseJson(text));
    }
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/yaml': {
      if (endpoint.yaml !== true) break;
      const documents = parseYaml(await readBody(request));
      const [document] = documents;
      if (document !== undefined && documents.length === 1) return document;
      throw new LiftlockError(
        'invalid_request',
        `the body holds ${documents.length} documents: send one`,
      );
    }
    default:
  }
  const taken =
    endpoint.yaml === true ? 'application/json or application/yaml' : 'application/json';
  throw new LiftlockError(
    'unsupported_media_type',
    `send the body as ${taken}, not as ${type ?? 'nothing said'}`,
    {
      issues: [{ pointer: '/headers/content-type', message: `must be ${taken}` }],
    },
  );
}

function plain(value: unknown): SourceDocument {
  return { value, lineOf: () => undefined };
}

function isEmpty(request: Request): boolean {
  return (
    request.headers['transfer-encoding'] === undefined &&
    Number(request.headers['content-length'] ?? 0) === 0
  );
}

/** Without its parameters; a charset other than UTF-8 is refused. */
function mediaType(request: Request): string | undefined {
  const [type, ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) {
    throw new LiftlockError('unsupported_media_type', `${charset} is not taken: send UTF-8`);
  }
  return type === undefined || type.trim() === '' ? undefined : type.trim();
}

function refusal(
  code: 'invalid_request' | 'invalid_document',
  issues: readonly Issue[],
): LiftlockError {
  const named = issues
    .slice(0, 5)
    .map(
      ({ pointer, message, line }) =>
        `${line === undefined ? '' : `line ${line}, `}${pointer === '' ? 'the body' : pointer}: ${message}`,
    )
    .join('; ');
  return new LiftlockError(
    code,
    issues.length > 5 ? `${named}; and ${issues.length - 5} more` : named,
    { issues },
  );
}
