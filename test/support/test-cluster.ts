import { execFile } from 'node:child_process';
import { systemIds } from '#kernel';
import type { TestClusterPlace } from './cluster-keeper.js';

/** A cluster, and a namespace of one's own in it. */
export interface TestCluster {
  /** As targets name it. */
  readonly endpoint: string;
  readonly credentials: { readonly ca: string; readonly token: string };
  /** What the credentials' references stand for: a service account that is bound to our own role, in this namespace. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly namespace: string;
  /** `127.0.0.1:<port>` of a registry that the nodes pull from. */
  readonly registry: string;
  readonly kubeconfig: string;
  /** As a person who may do everything. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  apply(...objects: readonly object[]): Promise<void>;
  get<T = KubeJson>(what: string, name: string, namespace?: string): Promise<T>;
  list<T = KubeJson>(what: string, ...args: readonly string[]): Promise<T[]>;
  /** More than our own role. */
  allow(name: string, rules: readonly object[]): Promise<void>;
  remove(): Promise<void>;
}

/** What tests read of objects: whatever of it the object has not is undefined. */
export interface KubeJson {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly replicas?: number;
    readonly unschedulable?: boolean;
    readonly template: { readonly spec: KubePodSpec };
  } & KubePodSpec;
  readonly status: {
    readonly containerStatuses?: ReadonlyArray<{ readonly state: { readonly running?: object } }>;
  };
  readonly data: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly immutable?: boolean;
  readonly reason?: string;
  readonly message?: string;
}

interface KubePodSpec {
  readonly containers: readonly [KubeContainer, ...KubeContainer[]];
}
interface KubeContainer {
  readonly image: string;
  readonly env?: readonly object[];
  readonly securityContext?: object;
}

interface ConfigView {
  readonly clusters: readonly [
    {
      readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
    },
  ];
}

/**
 * Makes a namespace there, and in it an account that is bound to our own role.
 * @param nodes whether the account may also cordon and drain nodes
 */
export async function openCluster(
  { kubeconfig, registry }: TestClusterPlace,
  nodes: boolean,
): Promise<TestCluster> {
  const namespace = `test-${systemIds.next('upg').slice(-10)}`;
  const kubectl = (args: readonly string[], input = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = { maxBuffer: 2 ** 26 };
      const child = execFile(
        'kubectl',
        ['--kubeconfig', kubeconfig, '-n', namespace, ...args],
        options,
        (error, stdout, stderr) =>
          error === null ? resolve(stdout) : reject(new Error(`${args.join(' ')}: ${stderr}`)),
      );
      child.stdin?.end(input);
    });
  const json = async <T>(args: readonly string[]): Promise<T> =>
    JSON.parse(await kubectl([...args, '-o', 'json'])) as T;
  const apply = async (...objects: readonly object[]): Promise<void> => {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    await kubectl(['apply', '-f', '-'], JSON.stringify(list));
  };
  const account = { kind: 'ServiceAccount', name: 'liftlock', namespace };
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' };
  const bound = (kind: string, role: string, name: string, roleKind = 'ClusterRole') => ({
    ...rbac,
    kind,
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: roleKind, name: role },
    subjects: [account],
  });
  await kubectl(['create', 'namespace', namespace]);
  await apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'liftlock' } },
    bound('RoleBinding', 'liftlock', 'liftlock'),
    ...(nodes ? [bound('ClusterRoleBinding', 'liftlock-nodes', namespace)] : []),
  );
  // as `kubectl create token` does, which kubectl knows since 1.24
  const tokens = `/api/v1/namespaces/${namespace}/serviceaccounts/liftlock/token`;
  const asked = {
    ...{ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' },
    spec: { audiences: [], expirationSeconds: 7200 },
  };
  const [answer, view] = await Promise.all([
    kubectl(['create', '--raw', tokens, '-f', '-'], JSON.stringify(asked)),
    json<ConfigView>(['config', 'view', '--raw', '--minify']),
  ]);
  const { status } = JSON.parse(answer) as { status: { token: string } };
  const { server, 'certificate-authority-data': ca } = view.clusters[0].cluster;
  return {
    endpoint: server,
    credentials: { ca: 'env:LIFTLOCK_SECRET_CA', token: 'env:LIFTLOCK_SECRET_TOKEN' },
    secrets: {
      LIFTLOCK_SECRET_CA: Buffer.from(ca, 'base64').toString('utf8'),
      LIFTLOCK_SECRET_TOKEN: status.token,
    },
    namespace,
    registry,
    kubeconfig,
    kubectl,
    apply,
    get: (what, name, where = namespace) => json(['get', what, name, '-n', where]),
    list: async (what, ...args) => (await json<{ items: never[] }>(['get', what, ...args])).items,
    allow: (name, rules) =>
      apply(
        { ...rbac, kind: 'Role', metadata: { name }, rules },
        bound('RoleBinding', name, name, 'Role'),
      ),
    async remove() {
      await kubectl(['delete', 'namespace', namespace, '--wait=false']);
      if (nodes) await kubectl(['delete', 'clusterrolebinding', namespace]);
    },
  };
}
