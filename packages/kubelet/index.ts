export { startKubeletApi } from './api/server.ts';
export { CniInvoker } from './cni/invoker.ts';
export { imageHost } from './images/image-host.ts';
export {
  createImageTable,
  type ImageTable,
  parseImageOverride,
} from './images/resolve.ts';
export type { ImageEntry } from './images/table.ts';
export { startKubelet } from './kubelet.ts';
export { rootLayout } from './runtime/root-layout.ts';
