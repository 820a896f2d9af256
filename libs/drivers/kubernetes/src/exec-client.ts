import { Exec } from '@kubernetes/client-node/dist/exec.js';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Access } from './access.js';

/** What the client's WebSockets ask a configuration for. */
type ExecConfig = Pick<KubeConfig, 'getCurrentCluster' | 'applyToHTTPSOptions'>;

/**
 * The client's commands in pods, and no more of the client than they need: all of it takes 80 MiB and half a second of a processor, for the
 * models of each kind that there is. Only the way through a proxy does.
 */
export async function execClient(access: Access): Promise<Exec> {
  const config = access.proxy === undefined ? directly(access) : await throughProxy(access);
  return new Exec(config as KubeConfig);
}

function directly({ server, tls, token }: Access): ExecConfig {
  return {
    getCurrentCluster: () => ({ name: server, server, skipTLSVerify: false }),
    applyToHTTPSOptions: async (options) => {
      Object.assign(options, tls, token === undefined ? {} : { headers: bearer(token) });
    },
  };
}

async function throughProxy({ server, tls, token, proxy }: Access): Promise<ExecConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      ...{ name: server, server, skipTLSVerify: false },
      ...(proxy === undefined ? {} : { proxyUrl: proxy }),
      ...(tls.ca === undefined ? {} : { caData: encoded(tls.ca) }),
      ...(tls.servername === undefined ? {} : { tlsServerName: tls.servername }),
    },
    {
      name: server,
      ...(token === undefined ? {} : { token }),
      ...(tls.cert === undefined ? {} : { certData: encoded(tls.cert) }),
      ...(tls.key === undefined ? {} : { keyData: encoded(tls.key) }),
    },
  );
  return config;
}

const bearer = (token: string): { readonly Authorization: string } => ({
  Authorization: `Bearer ${token}`,
});

const encoded = (pem: string): string => Buffer.from(pem).toString('base64');
