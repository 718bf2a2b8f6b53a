/** The shortest step that is not shorter than the delay; the longest, where none is. Steps are sorted. */
export function stepFor(stepsMs: readonly number[], delayMs: number): number {
  return stepsMs.find((stepMs) => stepMs >= delayMs) ?? stepsMs[stepsMs.length - 1]!
}
