import type { Agent, AgentOptions } from 'node:http';
import type https from 'node:https';
import { plainHttp } from './plain-http.js';
import { secureHttp, tls } from './secure-http.js';
import type { ProxySettings, RegistrySettings } from './settings.js';

/** Connections to one host at a time; more requests wait for one of them. */
const MAX_CONNECTIONS = 48;

/** Keeps the connections to the hosts of one registry (and of its token service) alive from request to request. */
export class Agents {
  private trustsSystem = false;
  private readonly retired: https.Agent[] = [];
  private plain: Agent | undefined;
  private secure: https.Agent | undefined;

  constructor(
    private readonly settings: RegistrySettings,
    private readonly proxy: ProxySettings | undefined,
  ) {}

  for(url: URL): Agent | https.Agent {
    return url.protocol === 'https:'
      ? (this.secure ??= this.makeSecure())
      : (this.plain ??= this.makePlain());
  }

  /** Whether the CAs that this machine trusts are asked, too. */
  get isTrustingSystem(): boolean {
    return this.trustsSystem;
  }

  /** Node brings its own list of CAs; those that this machine trusts besides take long to read, so they are asked when the list does not help. */
  trustSystem(): void {
    if (this.trustsSystem) return;
    this.trustsSystem = true;
    // what is under way goes on
    if (this.secure !== undefined) this.retired.push(this.secure);
    this.secure = undefined;
  }

  close(): void {
    this.plain?.destroy();
    for (const agent of [...this.retired, this.secure]) agent?.destroy();
  }

  private get common(): AgentOptions {
    return {
      keepAlive: true,
      maxSockets: MAX_CONNECTIONS,
      maxFreeSockets: MAX_CONNECTIONS,
      scheduling: 'lifo',
      noDelay: true,
      ...(this.proxy === undefined ? {} : { proxyEnv: { ...this.proxy } }),
    };
  }

  private makePlain(): Agent {
    return new plainHttp.Agent(this.common);
  }

  private makeSecure(): https.Agent {
    const { insecure, ca, clientCertificate } = this.settings;
    const own = ca === undefined ? [] : [ca];
    const system = this.trustsSystem ? tls().getCACertificates('system') : [];
    const isUsual = own.length + system.length === 0 && clientCertificate === undefined;
    // made once: to read all CAs anew for each connection takes longer than to connect
    const secureContext = isUsual
      ? undefined
      : tls().createSecureContext({
          ca: [...tls().rootCertificates, ...system, ...own],
          ...clientCertificate,
        });
    return new (secureHttp().Agent)({
      ...this.common,
      rejectUnauthorized: insecure !== true,
      ...(secureContext === undefined ? {} : { secureContext }),
    });
  }
}
