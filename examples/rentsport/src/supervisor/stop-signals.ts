/** npm hands a terminal's Ctrl-C on a second time: signals within this time count as one. */
const ONE_SIGNAL_MS = 500

/** The first signal asks for an end; a second one, after half a second, for an end at once. */
export function onStopSignals(stop: () => void, atOnce: () => void): void {
  let firstAtMs: number | undefined
  const hear = () => {
    const nowMs = Date.now()
    if (firstAtMs === undefined) {
      firstAtMs = nowMs
      stop()
    } else if (nowMs - firstAtMs > ONE_SIGNAL_MS) {
      atOnce()
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, hear)
}
