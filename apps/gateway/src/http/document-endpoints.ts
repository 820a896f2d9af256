import { z } from 'zod';
import {
  documentPage,
  dottedName,
  generationPage,
  storedDocument,
  type DOCUMENT_COLLECTIONS,
  type DocumentKind,
} from '#contracts';
import { EVERYBODY, limit, type EndpointContract } from './endpoint-contract.js';

type Collection = keyof typeof DOCUMENT_COLLECTIONS;
type DocumentEndpoints<C extends Collection> = {
  [K in `list:${C}`]: typeof listDocuments & Place;
} & { [K in `get:${C}`]: typeof getDocument & Place } & {
  [K in `put:${C}`]: typeof putDocument & Place & { readonly body: z.ZodType };
} & { [K in `delete:${C}`]: typeof deleteDocument & Place } & {
  [K in `history:${C}`]: typeof documentHistory & Place;
};
type Place = Pick<EndpointContract, 'path' | 'summary'>;

const listDocuments = {
  method: 'GET',
  tag: 'documents',
  roles: EVERYBODY,
  query: z.strictObject({ cursor: dottedName.optional(), limit }),
  status: 200,
  reply: documentPage,
} as const;

const getDocument = {
  method: 'GET',
  tag: 'documents',
  roles: EVERYBODY,
  params: z.object({ name: dottedName }),
  query: z.strictObject({ generation: z.coerce.number().int().min(1).optional() }),
  headers: z.object({ 'if-none-match': z.string().max(1000).optional() }),
  status: 200,
  reply: storedDocument,
  also: { 304: 'If-None-Match names the present generation' },
} as const;

const putDocument = {
  method: 'PUT',
  tag: 'documents',
  roles: ['operator'],
  params: z.object({ name: dottedName }),
  headers: z.object({
    'if-match': z
      .string()
      .regex(/^("?)\d{1,9}\1$/, 'must be the ETag of one generation')
      .optional(),
    'if-none-match': z.literal('*', 'must be *: only if there is none yet').optional(),
  }),
  yaml: true,
  status: 200,
  reply: storedDocument,
  also: { 201: 'It is the first generation' },
} as const;

const deleteDocument = {
  method: 'DELETE',
  tag: 'documents',
  roles: ['operator'],
  params: z.object({ name: dottedName }),
  headers: putDocument.headers.pick({ 'if-match': true }),
  status: 204,
} as const;

const documentHistory = {
  method: 'GET',
  tag: 'documents',
  roles: EVERYBODY,
  params: z.object({ name: dottedName }),
  query: z.strictObject({ cursor: z.coerce.number().int().min(1).optional(), limit }),
  status: 200,
  reply: generationPage,
} as const;

/** The routes of one kind of document. */
export function documentEndpoints<C extends Collection>(
  collection: C,
  kind: DocumentKind,
  body: z.ZodType,
): DocumentEndpoints<C> {
  const path = `/v1/${collection}`;
  return {
    [`list:${collection}`]: {
      ...listDocuments,
      path,
      summary: `Documents of the kind ${kind}, by name`,
    },
    [`get:${collection}`]: {
      ...getDocument,
      path: `${path}/:name`,
      summary: `One ${kind}; its ETag is its generation`,
    },
    [`put:${collection}`]: {
      ...putDocument,
      path: `${path}/:name`,
      body,
      summary: `Store one ${kind}; one that says the same as before makes no new generation`,
    },
    [`delete:${collection}`]: {
      ...deleteDocument,
      path: `${path}/:name`,
      summary: `Delete one ${kind} that no other document names; its generations stay`,
    },
    [`history:${collection}`]: {
      ...documentHistory,
      path: `${path}/:name/generations`,
      summary: `The generations of one ${kind}, the newest first`,
    },
  } as unknown as DocumentEndpoints<C>;
}
