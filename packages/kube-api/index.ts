export type { Resource } from './resource.ts';
