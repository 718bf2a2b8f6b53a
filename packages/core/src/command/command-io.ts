/** What a command is given, and where it speaks. */
export interface CommandIo {
  readonly args: readonly string[]
  /** Aborts when the user wants it to end. */
  readonly signal: AbortSignal
  print(text: string): void
  printError(text: string): void
}

/** A mistake in how the command was called: told with how to call it. */
export class UsageError extends Error {}
