/** A module of its own to be imported when needed: the bundler gives a CommonJS package, imported dynamically, no named exports. */
export { parse, stringify } from 'yaml';
