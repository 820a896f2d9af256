/** k0rdent's custom resources, as far as anything here is about them, after `api/v1beta1` of https://github.com/k0rdent/kcm. */
const GROUP = 'k0rdent.mirantis.com';

const text = { type: 'string' };
const flag = { type: 'boolean' };
const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const object = (properties: object, required: readonly string[] = []) => ({
  type: 'object',
  properties,
  ...(required.length === 0 ? {} : { required }),
});
const list = (items: object) => ({ type: 'array', items });
const keyed = (items: object, ...keys: readonly string[]) => ({
  ...list(items),
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
});

const named = object({ name: text, version: text }, ['name']);

const serviceSpec = object({
  services: list(
    object(
      {
        name: { type: 'string', minLength: 1, maxLength: 253 },
        namespace: { type: 'string', default: 'default' },
        template: { type: 'string', minLength: 1, maxLength: 253 },
        templateChain: text,
        version: text,
        values: text,
        disable: flag,
      },
      ['name', 'template'],
    ),
  ),
  provider: object({ name: text, selfManagement: flag }),
  priority: { type: 'integer', default: 100, minimum: 1 },
});

const condition = object(
  {
    type: text,
    status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
    reason: text,
    message: text,
    observedGeneration: { type: 'integer' },
    lastTransitionTime: { type: 'string', format: 'date-time' },
  },
  ['type', 'status'],
);

const holderStatus = {
  observedGeneration: { type: 'integer' },
  conditions: keyed(condition, 'type'),
  services: list(
    object(
      {
        name: text,
        namespace: text,
        template: text,
        version: text,
        type: { type: 'string', enum: ['Helm', 'Kustomize', 'Resource'] },
        state: {
          type: 'string',
          enum: ['Deployed', 'Provisioning', 'Failed', 'Pending', 'Deleting', 'Deleted'],
        },
        failureMessage: text,
        lastStateTransitionTime: { type: 'string', format: 'date-time' },
      },
      ['name', 'namespace', 'template', 'state', 'type', 'lastStateTransitionTime'],
    ),
  ),
  servicesUpgradePaths: list(
    object(
      {
        name: text,
        namespace: text,
        template: text,
        availableUpgrades: list(object({ upgradePaths: list(text), versions: list(named) })),
      },
      ['name', 'namespace', 'template'],
    ),
  ),
};

const validation = object({ valid: flag, validationError: text });

function definition(
  kind: string,
  scope: 'Namespaced' | 'Cluster',
  spec: object,
  status: object,
): object {
  const singular = kind.toLowerCase();
  const plural = `${singular}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope,
      names: { kind, listKind: `${kind}List`, plural, singular },
      versions: [
        {
          name: 'v1beta1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: object({ spec, status }) },
        },
      ],
    },
  };
}

export const K0RDENT_DEFINITIONS: readonly object[] = [
  definition(
    'ServiceTemplate',
    'Namespaced',
    object({ version: text, helm: anything, kustomize: anything, resources: anything }),
    validation,
  ),
  definition(
    'ServiceTemplateChain',
    'Namespaced',
    object({
      supportedTemplates: keyed(
        object({ name: text, availableUpgrades: list(named) }, ['name']),
        'name',
      ),
    }),
    validation,
  ),
  definition(
    'ClusterDeployment',
    'Namespaced',
    object({ template: text, credential: text, config: anything, dryRun: flag, serviceSpec }, [
      'template',
    ]),
    object(holderStatus),
  ),
  definition(
    'MultiClusterService',
    'Cluster',
    object({
      clusterSelector: object({
        matchLabels: { type: 'object', additionalProperties: text },
        matchExpressions: list(
          object({ key: text, operator: text, values: list(text) }, ['key', 'operator']),
        ),
      }),
      dependsOn: list(text),
      keepServicesOnSelectorMismatch: flag,
      serviceSpec,
    }),
    object({
      ...holderStatus,
      matchingClusters: list(
        object({ kind: text, name: text, namespace: text, deployed: flag }, ['deployed']),
      ),
    }),
  ),
];
