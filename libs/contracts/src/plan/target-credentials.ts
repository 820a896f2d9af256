import { z } from 'zod';

/** A secret as documents name it; resolved in the service that uses it. */
export const secretReference = z
  .string()
  .regex(
    /^env:LIFTLOCK_SECRET_[A-Z0-9_]+$/,
    'must be env:LIFTLOCK_SECRET_<NAME>: secrets themselves never stand in documents',
  );

/** What a target is reached with: references only, resolved in the service that reaches it. */
export const credentials = z.strictObject({
  /** Private key: of the user (SSH), of the client's certificate (TLS; of a cluster's user). OpenSSH's format or PEM. */
  key: secretReference.optional(),
  /** Of the private key of an `ssh://` endpoint, where it has one. */
  passphrase: secretReference.optional(),
  /** Lines as in `~/.ssh/known_hosts`: the keys that the host of an `ssh://` endpoint may have. */
  knownHosts: secretReference.optional(),
  /** Certificate of the authority that signed that of the engine (`tcp://`) or of the API server (`https://`). PEM. */
  ca: secretReference.optional(),
  /** The client's certificate, for a `tcp://` endpoint, or of a cluster's user for an `https://` one. PEM. */
  certificate: secretReference.optional(),
  /** Bearer token of a cluster's user or service account, for an `https://` endpoint. */
  token: secretReference.optional(),
  /** The file that a `kubeconfig://` endpoint names a context of: YAML, with all that it needs in it. */
  kubeconfig: secretReference.optional(),
});
export type Credentials = z.infer<typeof credentials>;
export type CredentialName = keyof Credentials;
