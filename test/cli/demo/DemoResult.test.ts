import { assert, describe, it } from "@effect/vitest"
import {
  duration,
  grouped,
  reportOf,
  type StepResult,
  summary,
  toJson,
  type WritesResult,
  writesSummary
} from "../../../src/cli/demo/DemoResult.ts"

const step = (name: string, more: Partial<StepResult> = {}): StepResult => ({
  name,
  ms: 1234.6,
  ownersMoved: 67,
  withoutReplica: 0,
  promotedMs: undefined,
  masterId: "n1",
  owned: [
    ["n1", 91],
    ["n2", 90],
    ["n3", 90]
  ],
  acknowledged: 12_345,
  gapMs: 1234,
  ...more
})

const writes: WritesResult = {
  acknowledged: 99_950,
  unknown: 50,
  refusals: 7,
  p50Ms: 2.3456,
  p99Ms: 31.6,
  maxMs: 4211.111,
  longestGapMs: 3999.999,
  longestGapPartition: 12,
  medianGapMs: 310,
  read: 20_050,
  lost: 0
}

describe("the JSON of the demo", () => {
  it("has exactly the promised keys, and the first SIGKILL's detection", () => {
    const steps = [step("form"), step("kill", { promotedMs: 149.7 }), step("kill-master", { promotedMs: 300 })]
    assert.deepStrictEqual(JSON.parse(toJson(reportOf(steps, 271, writes))), {
      ok: true,
      steps: [
        { name: "form", ms: 1235, ownersMoved: 67, withoutReplica: 0 },
        { name: "kill", ms: 1235, ownersMoved: 67, withoutReplica: 0 },
        { name: "kill-master", ms: 1235, ownersMoved: 67, withoutReplica: 0 }
      ],
      detectionMs: 150,
      members: 3,
      partitions: 271,
      spread: 1,
      writes: {
        acknowledged: 99_950,
        lost: 0,
        unknown: 50,
        p50Ms: 2.35,
        p99Ms: 31.6,
        maxMs: 4211.11,
        longestGapMs: 4000
      }
    })
  })

  it("of a failed demo is there too, says where and why, and claims no figure that was not measured", () => {
    const unread = { ...writes, read: undefined, lost: undefined }
    assert.deepStrictEqual(JSON.parse(toJson(reportOf([], 271, unread, { step: "form", reason: "n2 crashed" }))), {
      ok: false,
      steps: [],
      detectionMs: null,
      members: 0,
      partitions: 271,
      spread: 0,
      writes: {
        acknowledged: 99_950,
        lost: null,
        unknown: 50,
        p50Ms: 2.35,
        p99Ms: 31.6,
        maxMs: 4211.11,
        longestGapMs: 4000
      },
      failure: { step: "form", reason: "n2 crashed" }
    })
  })
})

describe("the summary", () => {
  it("has a line for each step, and fits into 80 columns", () => {
    const long = { ms: 12_345, withoutReplica: 271 }
    const steps = [step("form", long), step("rejoin-master", long), step("kill", { ...long, promotedMs: 149.7 })]
    const lines = summary(steps)
    assert.include(lines[3], "form")
    assert.match(lines[5] ?? "", /│ kill +│ 12\.35 s │ +150 ms │ +67 │ +271 │ 12,345 │ 1\.23 s │/)
    for (const line of lines) assert.isAtMost(line.length, 80)
  })

  it("of the writes says what was lost, and fits into 80 columns", () => {
    const lines = writesSummary({ ...writes, lost: 3 })
    assert.match(lines.join("\n"), /│ acknowledged +│ +99,950 │\n│ lost +│ +3 │\n│ outcome unknown +│ +50 │/)
    assert.include(lines.join("\n"), "latency p50")
    for (const line of lines) assert.isAtMost(line.length, 80)
  })

  it("claims nothing about losses that nobody looked for", () => {
    const lines = writesSummary({ ...writes, read: undefined, lost: undefined })
    assert.match(lines.join("\n"), /│ lost +│ not verified │/)
  })
})

describe("grouped", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [1_234_567, "1,234,567"]
  ])("%d reads %s", (count, text) => {
    assert.strictEqual(grouped(count), text)
  })
})

describe("duration", () => {
  it.each([
    [0, "0 ms"],
    [0.2, "0.20 ms"],
    [9.994, "9.99 ms"],
    [9.996, "10 ms"],
    [999.4, "999 ms"],
    [999.6, "1.00 s"],
    [12_345, "12.35 s"]
  ])("%d ms reads %s", (ms, text) => {
    assert.strictEqual(duration(ms), text)
  })
})
