/**
 * A text in rows of at most `columns` characters, the first of at most `first`, broken between words. A word that is
 * longer than a row is cut. For text of single-width characters; `columns` is at least 1.
 */
export const wrap = (text: string, columns: number, first: number = columns): ReadonlyArray<string> => {
  const rows: Array<string> = []
  let row: string | undefined
  const room = (): number => Math.max(1, rows.length === 0 ? first : columns)
  for (const word of text.split(" ")) {
    if (row !== undefined && row.length + 1 + word.length <= room()) {
      row = `${row} ${word}`
      continue
    }
    if (row !== undefined) rows.push(row)
    let rest = word
    while (rest.length > room()) {
      const cut = room()
      rows.push(rest.slice(0, cut))
      rest = rest.slice(cut)
    }
    row = rest
  }
  return [...rows, row ?? ""]
}
