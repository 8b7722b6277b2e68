/** The Kubernetes release that the lab's API server and nodes say they are: clients decide by it what there is. */
export const KUBERNETES_VERSION = '1.32.0';
