/** Between parts of long work: everything else that waits in the event loop has its turn. */
export function otherWork(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
