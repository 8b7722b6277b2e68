import {
  type LabelRequirement,
  matchesFields,
  matchesRequirements,
  type Node,
  type NodeSelectorRequirement,
  type NodeSelectorTerm,
  type PodSpec,
} from '#kube-api';

/** Whether nodeSelector and the required node affinity let a Pod onto the node. */
export function selectsNode(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata?.labels ?? {};
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return (
    Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value) &&
    (terms === undefined || terms.some((term) => matchesTerm(term, node)))
  );
}

/** The summed weights of the preferred terms that the node satisfies. */
export function nodePreference(spec: PodSpec, node: Node): number {
  const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return preferred
    .filter(({ preference }) => matchesTerm(preference, node))
    .reduce((sum, { weight }) => sum + weight, 0);
}

/** An empty term selects no node. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchesRequirements(matchExpressions.map(requirementOf), node.metadata?.labels) &&
    matchFields.every(({ key, operator, values = [] }) => {
      const equal = values.some((value) => matchesFields([{ field: key, negated: false, value }], node));
      return operator === 'NotIn' ? !equal : equal;
    })
  );
}

function requirementOf({ key, operator, values = [] }: NodeSelectorRequirement): LabelRequirement {
  switch (operator) {
    case 'Gt':
      return { key, operator: 'GreaterThan', values };
    case 'Lt':
      return { key, operator: 'LessThan', values };
    default:
      return { key, operator: operator as LabelRequirement['operator'], values };
  }
}
