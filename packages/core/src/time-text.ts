/** Writes times as RFC 3339, and remembers the last: many messages leave in one millisecond. */
export function createTimeText(): (nowMs: number) => string {
  let lastMs = NaN
  let text = ''
  return (nowMs) => {
    if (nowMs !== lastMs) {
      lastMs = nowMs
      text = new Date(nowMs).toISOString()
    }
    return text
  }
}
