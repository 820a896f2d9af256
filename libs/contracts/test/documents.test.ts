import { describe, expect, it } from 'vitest';
import { environmentDocument, releaseDocument } from '#contracts';

const withWebhook = (url: string, secret: string) =>
  environmentDocument.safeParse({
    apiVersion: 'liftlock.dev/v1',
    kind: 'Environment',
    metadata: { name: 'prod' },
    spec: {
      targets: [{ name: 'docker-1', driver: 'docker', endpoint: 'unix:///var/run/docker.sock' }],
      webhooks: [{ url, secret }],
    },
  });

describe('a checksum in a document', () => {
  const idOf = (id: string) =>
    releaseDocument.safeParse({
      apiVersion: 'liftlock.dev/v1',
      kind: 'Release',
      metadata: { name: 'shop-2.0' },
      spec: { application: 'shop', version: '2.0', components: { web: { image: 'web:2.0', id } } },
    });
  const hex = 'ab'.repeat(32);

  it.each([hex, `sha256:${hex}`, `sha256sum:${hex}`, hex.toUpperCase(), ` sha256:${hex} `])(
    '%s is one and the same',
    (id) => {
      expect(idOf(id).data?.spec.components['web']?.id).toBe(`sha256:${hex}`);
    },
  );

  it.each([`sha512:${hex}`, `md5:${hex}`, hex.slice(1), `sha256:sha256:${hex}`, ''])(
    '%s is refused',
    (id) => {
      expect(idOf(id).success).toBe(false);
    },
  );
});

describe('a webhook in a document', () => {
  it('names its secret by reference', () => {
    expect(withWebhook('https://hooks.example.com/x', 'env:LIFTLOCK_SECRET_X').success).toBe(true);
  });

  it.each([
    ['a password in its url', 'https://ann:open@hooks.example.com/', 'env:LIFTLOCK_SECRET_X'],
    ['a user in its url', 'https://ann@hooks.example.com/', 'env:LIFTLOCK_SECRET_X'],
    ['the secret itself', 'https://hooks.example.com/', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'],
    ['any variable of the notifier', 'https://hooks.example.com/', 'env:DATABASE_URL'],
    ['a url of another kind', 'file:///etc/passwd', 'env:LIFTLOCK_SECRET_X'],
    ['no url', 'hooks.example.com', 'env:LIFTLOCK_SECRET_X'],
  ])('with %s is refused', (_name, url, secret) => {
    expect(withWebhook(url, secret).success).toBe(false);
  });
});
