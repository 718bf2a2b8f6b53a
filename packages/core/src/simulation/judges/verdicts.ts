/** What was found to be wrong; the first finding is the one to look at, the others may follow from it. */
export class Verdicts {
  readonly found: string[] = []
  readonly #most = 10

  add(text: string): void {
    if (this.found.length < this.#most) this.found.push(text)
  }
}
