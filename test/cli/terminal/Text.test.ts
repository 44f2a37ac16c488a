import { assert, describe, it } from "@effect/vitest"
import { line, span } from "../../../src/cli/terminal/Paint.ts"
import { table } from "../../../src/cli/terminal/Table.ts"
import { wrap } from "../../../src/cli/terminal/Wrap.ts"

describe("table", () => {
  it("is as wide as its cells on a terminal, where some characters take two columns and escapes none", () => {
    assert.deepStrictEqual(
      table([{ title: "id" }, { title: "n", align: "right" }], [["日本", "7"], ["\u001b[1mx\u001b[0m", "271"], ["y"]]),
      [
        "┌──────┬─────┐",
        "│ id   │   n │",
        "├──────┼─────┤",
        "│ 日本 │   7 │",
        "│ \u001b[1mx\u001b[0m    │ 271 │",
        "│ y    │     │",
        "└──────┴─────┘"
      ]
    )
  })
})

describe("line", () => {
  const spans = [span("ab", "bold"), span("cd"), span("ef", "red")]

  it.each([
    [6, "abcdef"],
    [5, "abcd…"],
    [2, "a…"],
    [1, "…"],
    [0, ""]
  ])("in %d columns: %s", (columns, text) => {
    assert.strictEqual(line(spans, columns, false), text)
  })

  it("styles add no width, and end with their text", () => {
    assert.strictEqual(line(spans, 5, true), "\u001b[1mab\u001b[0mcd…")
  })
})

describe("wrap", () => {
  it.each([
    ["one two three", 20, 20, ["one two three"]],
    ["one two three", 7, 7, ["one two", "three"]],
    ["one two three", 7, 3, ["one", "two", "three"]],
    ["  indented words", 10, 10, ["  indented", "words"]],
    ["a longerthanarow b", 6, 4, ["a", "longer", "thanar", "ow b"]],
    ["longerthanarow", 6, 4, ["long", "erthan", "arow"]],
    ["", 4, 4, [""]]
  ] as const)("%j in rows of %d, the first of %d", (text, columns, first, rows) => {
    assert.deepStrictEqual(wrap(text, columns, first), rows)
  })
})
