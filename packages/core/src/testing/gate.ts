export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

/** Something to wait at until it is opened. */
export function gate(): Gate {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

/** Fulfilled when a signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  const { opened, open } = gate()
  if (signal.aborted) open()
  else signal.addEventListener('abort', open, { once: true })
  return opened
}
