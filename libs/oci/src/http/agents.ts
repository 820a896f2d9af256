import http from 'node:http';
import https from 'node:https';
import { rootCertificates } from 'node:tls';
import type { ProxySettings, RegistrySettings } from './settings.js';

/** Connections to one host at a time; more requests wait for one of them. */
const MAX_CONNECTIONS = 48;

/** Keeps the connections to the hosts of one registry (and of its token service) alive from request to request. */
export class Agents {
  private plain: http.Agent | undefined;
  private secure: https.Agent | undefined;

  constructor(
    private readonly settings: RegistrySettings,
    private readonly proxy: ProxySettings | undefined,
  ) {}

  for(url: URL): http.Agent | https.Agent {
    return url.protocol === 'https:'
      ? (this.secure ??= this.makeSecure())
      : (this.plain ??= this.makePlain());
  }

  close(): void {
    this.plain?.destroy();
    this.secure?.destroy();
  }

  private get common(): http.AgentOptions {
    return {
      keepAlive: true,
      maxSockets: MAX_CONNECTIONS,
      maxFreeSockets: MAX_CONNECTIONS,
      scheduling: 'lifo',
      noDelay: true,
      ...(this.proxy === undefined ? {} : { proxyEnv: { ...this.proxy } }),
    };
  }

  private makePlain(): http.Agent {
    return new http.Agent(this.common);
  }

  private makeSecure(): https.Agent {
    const { insecure, ca, clientCertificate } = this.settings;
    return new https.Agent({
      ...this.common,
      rejectUnauthorized: insecure !== true,
      ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
      ...(clientCertificate === undefined
        ? {}
        : { cert: clientCertificate.cert, key: clientCertificate.key }),
    });
  }
}
