/** Edits between a word and what was probably meant; more would be guessing. */
const EDITS_MAX = 2

/**
 * Completes a sentence about an unknown word: `; did you mean "client_id"?`, or nothing if no known word is
 * close, which is at most two edits and never half of the word.
 */
export function didYouMean(word: string, known: readonly string[]): string {
  const ranked = known
    .map(candidate => ({ candidate, edits: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= EDITS_MAX && edits * 2 < candidate.length)
    .sort((a, b) => a.edits - b.edits)
  return ranked[0] === undefined ? '' : `; did you mean "${ranked[0].candidate}"?`
}

/** Levenshtein's distance, row by row, where swapped neighbours count as one edit. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(replaced, at(last, j) + 1, at(row, j - 1) + 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) row[j] = Math.min(at(row, j), at(beforeLast, j - 2) + 1)
    }
    beforeLast = last
    last = row
  }
  return at(last, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}
