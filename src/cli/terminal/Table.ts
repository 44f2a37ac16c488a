/** A table of text with ruled borders, aligned by what a terminal shows rather than by string length. */
import { CliOutput } from "effect/cli"

/** Spaces are added until `text` takes `width` columns; a longer text stays as it is. */
export const padEnd = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - CliOutput.displayWidth(text)))

export const padStart = (text: string, width: number): string =>
  " ".repeat(Math.max(0, width - CliOutput.displayWidth(text))) + text

export interface Column {
  readonly title: string
  /** Figures read best from the right. Default left. */
  readonly align?: "left" | "right"
}

/** Lines of a table; a row that is too short gets empty cells. */
export const table = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<string> => {
  const widths = columns.map((column, i) =>
    Math.max(CliOutput.displayWidth(column.title), ...rows.map((row) => CliOutput.displayWidth(row[i] ?? "")))
  )
  const rule = (left: string, middle: string, right: string): string =>
    left + widths.map((width) => "─".repeat(width + 2)).join(middle) + right
  const line = (cells: ReadonlyArray<string>): string =>
    `│${columns
      .map((column, i) => {
        const pad = column.align === "right" ? padStart : padEnd
        return ` ${pad(cells[i] ?? "", widths[i] ?? 0)} `
      })
      .join("│")}│`
  return [
    rule("┌", "┬", "┐"),
    line(columns.map((column) => column.title)),
    rule("├", "┼", "┤"),
    ...rows.map(line),
    rule("└", "┴", "┘")
  ]
}
