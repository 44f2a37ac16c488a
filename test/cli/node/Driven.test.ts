/** A driven node's way from stdin to operations: what is understood, what is not, and when it ends. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, Stdio, Stream } from "effect"
import { maxLineLength, type Operation, toBatch } from "../../../src/cli/DriveLine.ts"
import { read } from "../../../src/cli/node/Driven.ts"

const get = (id: number): Operation => ({ type: "get", id, key: `k${id}` })
const line = (...ids: ReadonlyArray<number>): string => `${toBatch({ operations: ids.map(get) })}\n`

const utf8 = new TextEncoder()

/** The ids of the operations in what comes in, in these pieces. */
const ids = (pieces: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const input = yield* read
    yield* input.ended
    const found = yield* Queue.clear(input.operations)
    return found.map(({ id }) => id)
  }).pipe(
    Effect.scoped,
    Effect.provide(Stdio.layerTest({ stdin: Stream.fromIterable(pieces.map((piece) => utf8.encode(piece))) }))
  )

describe("stdin of a driven node", () => {
  it.effect("operations come in the order of their lines, however the lines are cut", () =>
    Effect.gen(function* () {
      const text = line(1, 2) + line(3)
      assert.deepStrictEqual(yield* ids([text]), [1, 2, 3])
      assert.deepStrictEqual(yield* ids(text.split("")), [1, 2, 3])
    })
  )

  it.effect("a line that is no batch is left out, and so is one that is too long", () =>
    Effect.gen(function* () {
      const tooLong = " ".repeat(maxLineLength + 1)
      assert.deepStrictEqual(yield* ids([line(1), "{]\n", line(2)]), [1, 2])
      assert.deepStrictEqual(yield* ids([line(1), `${tooLong}${line(2)}`, line(3)]), [1, 3])
      assert.deepStrictEqual(yield* ids([line(1), tooLong, tooLong, line(2), line(3)]), [1, 3])
    })
  )

  it.effect("a last line without a line break is no line", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ids([line(1), line(2).trimEnd()]), [1])
    })
  )
})
