import { KernelError } from './errors.ts';

/** The meanings nft prints after "Could not process rule:", by errno name. */
const MEANINGS: Readonly<Record<string, string>> = {
  'No such file or directory': 'ENOENT',
  'File exists': 'EEXIST',
  'Device or resource busy': 'EBUSY',
  'Operation not supported': 'EOPNOTSUPP',
  'Operation not permitted': 'EPERM',
  'Permission denied': 'EACCES',
  'Invalid argument': 'EINVAL',
  'Message too long': 'EMSGSIZE',
  'Numerical result out of range': 'ERANGE',
  'Too many open files in system': 'ENFILE',
  'Too many links': 'EMLINK',
  'Cannot allocate memory': 'ENOMEM',
  'Value too large for defined data type': 'EOVERFLOW',
  'No buffer space available': 'ENOBUFS',
};

/** A KernelError from what nft says; a script it cannot read is `EINVAL`. */
export function nftError(operation: string, object: string, errors: string): KernelError {
  const text = errors.trim();
  const meaning = /(?:Could not process rule|Error): ([^\n]*)/.exec(text)?.[1] ?? '';
  const errno = Object.entries(MEANINGS).find(([words]) => meaning.includes(words))?.[1] ?? 'EINVAL';
  return new KernelError({ errno, operation, object, detail: text });
}
