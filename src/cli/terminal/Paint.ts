/** Lines of styled text, cut to the width of a terminal. */

export type Style = "plain" | "bold" | "dim" | "red" | "green" | "yellow" | "cyan"

export interface Span {
  readonly text: string
  readonly style: Style
}

export const span = (text: string, style: Style = "plain"): Span => ({ text, style })

// Select Graphic Rendition codes of ECMA-48.
const codes: Readonly<Record<Style, string>> = {
  plain: "",
  bold: "1",
  dim: "2",
  red: "31",
  green: "32",
  yellow: "33",
  cyan: "36"
}

const styled = (text: string, style: Style): string =>
  style === "plain" || text === "" ? text : `\u001b[${codes[style]}m${text}\u001b[0m`

/** One line of at most `columns` characters; a longer one is cut and ends in `…`. For text of single-width characters. */
export const line = (spans: ReadonlyArray<Span>, columns: number, canColor: boolean): string => {
  const total = spans.reduce((length, { text }) => length + text.length, 0)
  const isCut = total > columns
  let room = isCut ? Math.max(0, columns - 1) : columns
  let painted = ""
  for (const { style, text } of spans) {
    const shown = text.slice(0, room)
    room -= shown.length
    painted += canColor ? styled(shown, style) : shown
  }
  return isCut && columns > 0 ? `${painted}…` : painted
}
