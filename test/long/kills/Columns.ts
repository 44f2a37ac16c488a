/** Tables whose rows are printed as they come. */

export type Column = readonly [title: string, width: number]

/** One line of cells under these columns. */
export const row = (columns: ReadonlyArray<Column>, cells: ReadonlyArray<string>): string =>
  cells
    .map((cell, i) => cell.padEnd(columns[i]?.[1] ?? 0))
    .join(" ")
    .trimEnd()

export const heading = (columns: ReadonlyArray<Column>): string =>
  row(
    columns,
    columns.map(([title]) => title)
  )
