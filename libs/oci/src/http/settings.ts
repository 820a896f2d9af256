/** What one registry needs to be reached; all of it may be left out. */
export interface RegistrySettings {
  /**
   * Its certificate is not checked, and plain HTTP is spoken where it speaks no TLS. Only when somebody said so: it lets anyone on the
   * way read the password. Default false.
   */
  readonly insecure?: boolean;
  /** Certificates (PEM) that it may be signed by, besides those of the system. */
  readonly ca?: string;
  /** Client certificate and its key (PEM). */
  readonly clientCertificate?: { readonly cert: string; readonly key: string };
  /** Instead of what the Docker configuration says. */
  readonly credentials?: Credentials;
  /** Bytes a second, both ways together; default: as much as there is. */
  readonly bytesPerSecond?: number;
}

export type Credentials =
  | { readonly username: string; readonly password: string }
  /** A refresh token of the registry's token service (`identitytoken` in Docker's configuration). */
  | { readonly identityToken: string }
  /** A bearer token that is used as it is (`registrytoken`). */
  | { readonly registryToken: string };

/** The usual variables of the environment; the caller reads them. */
export interface ProxySettings {
  readonly HTTP_PROXY?: string;
  readonly HTTPS_PROXY?: string;
  /** Hosts, separated by commas, that are reached without one. */
  readonly NO_PROXY?: string;
}
