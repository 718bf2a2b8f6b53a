/** Watches the process while a case runs: nobody's error and leaking listeners are failures of the case. */
export class ProcessGuard implements Disposable {
  readonly #seen: string[] = []
  readonly #onError = (error: unknown) => void this.#seen.push(`an error that nobody caught: ${String(error)}`)
  readonly #onWarning = (warning: Error) => {
    if (warning.name === 'MaxListenersExceededWarning') this.#seen.push(`leaking listeners: ${warning.message}`)
  }

  constructor() {
    process.on('unhandledRejection', this.#onError)
    process.on('uncaughtExceptionMonitor', this.#onError)
    process.on('warning', this.#onWarning)
  }

  get seen(): readonly string[] {
    return this.#seen
  }

  [Symbol.dispose](): void {
    process.off('unhandledRejection', this.#onError)
    process.off('uncaughtExceptionMonitor', this.#onError)
    process.off('warning', this.#onWarning)
  }
}
