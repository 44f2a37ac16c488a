import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import * as FleetState from "../../../src/cli/demo/FleetState.ts"
import { bar, frame, progressBar } from "../../../src/cli/demo/Screen.ts"
import type { NodeReport } from "../../../src/cli/NodeReport.ts"

const report: NodeReport = {
  at: 5,
  nodeId: "n1",
  masterId: Option.some("n1"),
  isMaster: false,
  lineage: "n1.1",
  settled: true,
  view: {
    version: 2,
    members: [
      { nodeId: "n1", state: "active" },
      { nodeId: "n2", state: "suspect" }
    ]
  },
  tableVersion: 1,
  nodes: ["n1", "n2"],
  owners: [0, 0, 0, 1],
  backups: [[1], [1], [1], [0]]
}

const started = FleetState.started(FleetState.started(FleetState.empty, 0, "n1", 1), 0, "n2", 2)
const state = ["n1", "n2"].reduce(
  (state, nodeId, i) =>
    FleetState.change(state, 1, { nodeId, pid: i + 1 }, (node) => FleetState.reported(node, { ...report, nodeId })),
  started
)
const copying = FleetState.change(state, 1, { nodeId: "n1", pid: 1 }, (node) =>
  FleetState.progressed(node, { open: 2, queued: 10, finished: 18, bytes: 1_250_000 })
)
const moment = {
  step: { name: "kill", title: "kill -9 n2", elapsedMs: 1250, finishedBefore: 10 },
  writes: { writes: 100_000, acknowledged: 50_000, unknown: 0 },
  nodes: ["n1", "n2", "n3"],
  partitionCount: 4,
  state,
  frame: 0
}

describe("frame", () => {
  it("shows the step, and each node's state, mastership and partitions", () => {
    assert.deepStrictEqual(frame(moment, 63, false), [
      "",
      "  ⠋ kill kill -9 n2 1.3 s",
      "  n1  ★ active   ████████████████████    3 owned    1 backed up",
      "  n2    suspect  ████████░░░░░░░░░░░░    1 owned    3 backed up",
      "  n3             ░░░░░░░░░░░░░░░░░░░░    0 owned    0 backed up",
      "  writes         █████░░░░░░ 50,000 of 100,000",
      "  migrations     ░░░░░░░░░░░ none, 0.0 MB so far"
    ])
  })

  it("shows how far the migrations of the step are, and writes whose outcome is unknown", () => {
    const writes = { writes: 100_000, acknowledged: 95_678, unknown: 4321 }
    assert.deepStrictEqual(frame({ ...moment, state: copying, writes }, 80, false).slice(-2), [
      "  writes         ██████████████████████████░░ 95,678 of 100,000, 4,321 unknown",
      "  migrations     ███████████░░░░░░░░░░░░░░░░░ 8 of 20, 1.3 MB"
    ])
  })

  it("a node that stands still is shown as frozen", () => {
    const frozen = FleetState.change(state, 2, { nodeId: "n2", pid: 2 }, (node) => ({
      ...node,
      status: "frozen" as const
    }))
    assert.match(frame({ ...moment, state: frozen }, 100, false)[3] ?? "", /n2 +frozen/)
  })

  it("no line is wider than the terminal, however narrow", () => {
    for (const columns of [0, 1, 5, 20, 79, 200]) {
      for (const line of frame(moment, columns, false)) assert.isAtMost(line.length, columns)
    }
  })

  it("a killed process is shown as killed, whatever the others still think", () => {
    const killed = FleetState.change(state, 2, { nodeId: "n2", pid: 2 }, (node) => ({
      ...node,
      status: "killed" as const
    }))
    assert.match(frame({ ...moment, state: killed }, 100, false)[3] ?? "", /n2 +killed/)
  })
})

describe("bar", () => {
  it.each([
    [0, "░░░░"],
    [1, "██░░"],
    [2, "████"],
    [4, "████"]
  ])("%d of 4 partitions on 4 nodes: %s", (owned, drawn) => {
    assert.strictEqual(bar(owned, 4, 4, 4), drawn)
  })
})

describe("progressBar", () => {
  it.each([
    [0, 0, "░░░░"],
    [0, 4, "░░░░"],
    [3, 4, "███░"],
    [4, 4, "████"],
    [5, 4, "████"]
  ])("%d of %d: %s", (done, all, drawn) => {
    assert.strictEqual(progressBar(done, all, 4), drawn)
  })
})
