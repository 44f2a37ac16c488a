import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import {
  type DriveLine,
  fromBatch,
  fromLine,
  maxBatch,
  type Operation,
  toBatch,
  toLine
} from "../../src/cli/DriveLine.ts"

const put: Operation = { type: "put", id: 1, key: "k", value: "v\n" }
const get: Operation = { type: "get", id: 2, key: "k" }
const look: Operation = { type: "look", id: 3 }

const lines: ReadonlyArray<DriveLine> = [
  {
    answers: [
      { id: 1, outcome: "done", ms: 1.5 },
      { id: 2, outcome: "done", ms: 0, value: "v" },
      { id: 3, outcome: "unknown", ms: 5000, reason: "OutcomeUnknown: no answer in time" },
      {
        id: 4,
        outcome: "done",
        ms: 1,
        kept: { partitions: [{ partitionId: 7, records: 2, digest: 2 ** 52 - 1 }], strays: [7], recovering: [3] }
      }
    ]
  },
  { change: { _tag: "PartitionLost", partitionId: 7, lastOwner: "n1" } },
  { progress: { open: 2, queued: 60, finished: 7, bytes: 1_000_000 } }
]

describe("lines of a driven node", () => {
  it("are read as they were written, each one line", () => {
    for (const line of lines) {
      const text = toLine(line)
      assert.notInclude(text, "\n")
      assert.deepStrictEqual(fromLine(text), Option.some(line))
    }
    const batch = { operations: [put, get, look] }
    assert.notInclude(toBatch(batch), "\n")
    assert.deepStrictEqual(fromBatch(toBatch(batch)), Option.some(batch))
  })

  it.each([
    "",
    "{]",
    "{}",
    '{"operations":[{"type":"drop","id":1,"key":"k"}]}',
    '{"operations":[{"type":"put","id":1,"key":"k"}]}',
    '{"operations":[{"type":"get","id":-1,"key":"k"}]}',
    '{"answers":[{"id":1,"outcome":"perhaps","ms":1}]}',
    '{"progress":{}}'
  ])("%s is none", (line) => {
    assert.isTrue(Option.isNone(fromBatch(line)))
    assert.isTrue(Option.isNone(fromLine(line)))
  })

  it("a batch has a bound", () => {
    const line = JSON.stringify({ operations: Array.from({ length: maxBatch + 1 }, () => get) })
    assert.isTrue(Option.isNone(fromBatch(line)))
  })
})
