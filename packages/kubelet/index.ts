export { type KubeletApiOptions, startKubeletApi } from './api/server.ts';
export { runBuiltin } from './builtin/run-builtin.ts';
export { type CniAttachment, CniInvoker, type CniOptions } from './cni/invoker.ts';
export {
  createImageTable,
  type ImageTable,
  type ImageTableOptions,
  parseImageOverride,
} from './images/resolve.ts';
export type { ImageEntry, ImageHost } from './images/table.ts';
export { imageHost, type Kubelet, type KubeletOptions, rootLayout, startKubelet } from './kubelet.ts';
