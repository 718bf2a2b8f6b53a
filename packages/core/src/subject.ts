/**
 * Whether a subject fits a pattern of dot-separated words: `*` stands for exactly one word, `#` for any number of them,
 * none included. Takes time linear in the subject for each `#` of the pattern, never exponential.
 * @example subjectMatches('renter.*', 'renter.RENTAL_EXPIRED') // true
 * @see https://www.rabbitmq.com/tutorials/tutorial-five-javascript
 */
export function subjectMatches(pattern: string, subject: string): boolean {
  if (pattern === subject || pattern === '#') return true
  if (!pattern.includes('*') && !pattern.includes('#')) return false
  const wanted = pattern.split('.')
  const words = subject === '' ? [] : subject.split('.')
  let at = 0
  let word = 0
  // Only the last `#` ever needs to take one word more: what an earlier one could gain, the later one can too.
  let hash = -1
  let hashWord = 0
  while (word < words.length) {
    const want = wanted[at]
    if (want === '#') {
      hash = at++
      hashWord = word
    } else if (want !== undefined && (want === '*' || want === words[word])) {
      at++
      word++
    } else if (hash >= 0) {
      at = hash + 1
      word = ++hashWord
    } else {
      return false
    }
  }
  while (wanted[at] === '#') at++
  return at === wanted.length
}
