export { startKubeletApi } from './api/server.ts';
export { CniInvoker } from './cni/invoker.ts';
export {
  createImageTable,
  type ImageTable,
  parseImageOverride,
} from './images/resolve.ts';
export type { ImageEntry } from './images/table.ts';
export { imageHost, rootLayout, startKubelet } from './kubelet.ts';
