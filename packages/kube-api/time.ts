/** As the API writes times: RFC 3339, UTC, whole seconds. `ms`: milliseconds since the epoch. Source: apimachinery pkg/apis/meta/v1/time.go. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
