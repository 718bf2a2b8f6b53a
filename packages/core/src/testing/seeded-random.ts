/**
 * Numbers in [0, 1) that come again with the same seed and label.
 * @see https://www.pcg-random.org/posts/bob-jenkins-small-prng-passes-practrand.html (the generator is `sfc32` of that family)
 */
export function seededRandom(seed: number, label: string): () => number {
  let a = seed | 0
  let b = 0x9e3779b9 | 0
  let c = 0x243f6a88 | 0
  let counter = 1
  for (const letter of label) a = (Math.imul(a ^ letter.codePointAt(0)!, 0x01000193) + 1) | 0
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let round = 0; round < 12; round += 1) next()
  return next
}
