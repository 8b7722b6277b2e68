/**
 * The `lastTransitionTime` of a condition: that of the held one while its status is the same, else now. RFC 3339.
 * Source: API conventions, "Typical status properties".
 */
export function transitionTime(
  held: { readonly status?: string; readonly lastTransitionTime?: string } | undefined,
  status: string,
  now: string,
): string {
  return held?.status === status ? (held.lastTransitionTime ?? now) : now;
}
