import { assert, describe, it } from "@effect/vitest"
import { duration, reportOf, type StepResult, summary, toJson } from "../../../src/cli/demo/DemoResult.ts"

const step = (name: string, more: Partial<StepResult> = {}): StepResult => ({
  name,
  ms: 1234.6,
  ownersMoved: 67,
  withoutReplica: 0,
  promotedMs: undefined,
  viewVersion: 2 ** 32 + 7,
  masterId: "n1",
  owned: [
    ["n1", 91],
    ["n2", 90],
    ["n3", 90]
  ],
  ...more
})

describe("the JSON of the demo", () => {
  it("has exactly the promised keys, and the first SIGKILL's detection", () => {
    const steps = [step("form"), step("kill", { promotedMs: 149.7 }), step("kill-master", { promotedMs: 300 })]
    assert.deepStrictEqual(JSON.parse(toJson(reportOf(steps, 271))), {
      ok: true,
      steps: [
        { name: "form", ms: 1235, ownersMoved: 67, withoutReplica: 0 },
        { name: "kill", ms: 1235, ownersMoved: 67, withoutReplica: 0 },
        { name: "kill-master", ms: 1235, ownersMoved: 67, withoutReplica: 0 }
      ],
      detectionMs: 150,
      members: 3,
      partitions: 271,
      spread: 1
    })
  })

  it("of a failed demo is there too, says where and why, and claims no figure that was not measured", () => {
    assert.deepStrictEqual(JSON.parse(toJson(reportOf([], 271, { step: "form", reason: "n2 crashed" }))), {
      ok: false,
      steps: [],
      detectionMs: null,
      members: 0,
      partitions: 271,
      spread: 0,
      failure: { step: "form", reason: "n2 crashed" }
    })
  })
})

describe("the summary", () => {
  it("has a line for each step, and fits into 80 columns", () => {
    const lines = summary([step("form"), step("rejoin-master"), step("kill", { promotedMs: 149.7 })])
    assert.include(lines[3], "form")
    assert.match(lines[5] ?? "", /│ kill +│ +1\.23 s │ +150 ms │ +67 │ +0 │ +1\.7 │/)
    for (const line of lines) assert.isAtMost(line.length, 80)
  })
})

describe("duration", () => {
  it.each([
    [0.2, "0 ms"],
    [999.4, "999 ms"],
    [999.6, "1.00 s"],
    [12_345, "12.35 s"]
  ])("%d ms reads %s", (ms, text) => {
    assert.strictEqual(duration(ms), text)
  })
})
