/** Resolves at the first SIGINT, SIGTERM or SIGHUP; keeps the process alive until then. */
export function stopRequested(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const alive = setInterval(() => {}, 1 << 30)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        clearInterval(alive)
        resolve(signal)
      })
    }
  })
}
