/** Why Pods of a node cannot be reached, in words for the person who will repair it. */
export interface NodeProblem {
  readonly node: string;
  readonly reason: ProblemReason;
  readonly message: string;
}

export type ProblemReason =
  /** A field of the Node cannot be read. */
  | 'InvalidNode'
  /** The Node has no InternalIP of the Pod CIDR's family. */
  | 'NoAddress'
  /** The Node's address is behind a router, and the backend needs a shared link. */
  | 'NotOnLink'
  /** Two Nodes claim the same Pod addresses. */
  | 'PodCidrOverlap'
  /** Somebody else's route stands where ours would go. */
  | 'RouteTaken';
