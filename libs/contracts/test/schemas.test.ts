import { describe, expect, it } from 'vitest';
import { DOCUMENT_KINDS, jsonSchemaOf } from '#contracts';

describe('JSON Schemas', () => {
  it.each(DOCUMENT_KINDS)(
    'docs/schemas has the one of %s: regenerate it with vitest -u',
    async (kind) => {
      const schema = jsonSchemaOf(kind);
      expect(schema).toMatchObject({ type: 'object', additionalProperties: false, title: kind });
      await expect(`${JSON.stringify(schema, undefined, 2)}\n`).toMatchFileSnapshot(
        `../../../docs/schemas/${kind.toLowerCase()}.schema.json`,
      );
    },
  );
});
