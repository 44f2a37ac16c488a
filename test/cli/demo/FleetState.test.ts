import { assert, describe, it } from "@effect/vitest"
import * as FleetState from "../../../src/cli/demo/FleetState.ts"

const two = FleetState.started(FleetState.started(FleetState.empty, 1, "a", 10), 2, "b", 20)

const set = (state: FleetState.FleetState, nodeId: string, pid: number, status: FleetState.NodeStatus) =>
  FleetState.change(state, 3, { nodeId, pid }, (node) => ({ ...node, status }))

describe("FleetState", () => {
  it("what comes late from a former process of a node changes nothing", () => {
    const again = FleetState.started(set(two, "a", 10, "killed"), 4, "a", 11)
    assert.strictEqual(set(again, "a", 10, "crashed"), again)
    assert.strictEqual(again.nodes.get("a")?.status, "starting")
  })

  it.each([
    ["starting", "crashed"],
    ["running", "crashed"],
    ["killed", "killed"],
    ["leaving", "left"]
  ] as const)("the end of a process that is %s makes it %s", (before, after) => {
    const ended = FleetState.change(set(two, "a", 10, before), 5, { nodeId: "a", pid: 10 }, (node) =>
      FleetState.ended(node, 1)
    )
    assert.strictEqual(ended.nodes.get("a")?.status, after)
    assert.strictEqual(FleetState.crashed(ended).length, after === "crashed" ? 1 : 0)
  })

  it("nodes that start or run are live; of the log the last lines are kept", () => {
    assert.deepStrictEqual(FleetState.live(set(two, "b", 20, "killed")), ["a"])
    let state = two
    for (let i = 0; i <= FleetState.maxLogLines; i++) {
      state = FleetState.change(state, i, { nodeId: "a", pid: 10 }, (node) => FleetState.logged(node, `line ${i}`))
    }
    const log = state.nodes.get("a")?.log ?? []
    assert.strictEqual(log.length, FleetState.maxLogLines)
    assert.strictEqual(log.at(-1), `line ${FleetState.maxLogLines}`)
  })
})
