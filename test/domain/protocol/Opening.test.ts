/** A frame that opens a connection is at most 4 KiB, whatever a node has heard and suspects. */
import { assert, describe, it } from "vitest"
import { encodeClusterMessage } from "../../../src/domain/codec/ClusterMessageCodec.ts"
import { withinBytes } from "../../../src/domain/protocol/Bounds.ts"
import * as AwakeClock from "../../../src/domain/protocol/AwakeClock.ts"
import * as Bootstrap from "../../../src/domain/protocol/Bootstrap.ts"
import * as Heartbeat from "../../../src/domain/protocol/Heartbeat.ts"
import { Step } from "../../../src/domain/protocol/Transition.ts"
import { TransportLimits } from "../../../src/services/TransportLimits.ts"
import { masterOf, Transcript } from "./Transcript.ts"

const limit = TransportLimits.defaults.maxUnidentifiedFrameBytes
const names = (count: number) => Array.from({ length: count }, (_, index) => `node-${index}.rack-7.example.org`)

describe("opening frames", () => {
  it("a join request with 32 seeds and 64 known addresses fits", () => {
    const seedAddresses = names(32).map((name) => `${name}:9090`)
    const node = new Transcript("n1", { config: { seedAddresses } })
    const step = new Step(node.state, AwakeClock.start(0))
    Bootstrap.learnAddresses(
      step,
      names(200).map((name) => `${name}:9091`)
    )
    const fresh = step.fresh
    assert.isDefined(fresh)
    assert.lengthOf(fresh?.known ?? [], 64)
    const request = fresh === undefined ? undefined : Bootstrap.joinRequest(step, fresh)
    assert.isAtMost(request === undefined ? Infinity : encodeClusterMessage(request).length, limit)
    assert.isAbove(request?.known?.length ?? 0, 5)
    assert.lengthOf(request?.seeds ?? [], 32)
  })

  it("a heartbeat that suspects a thousand members fits, and the regular one names them all", () => {
    const { joined, state } = masterOf("n1", ["n2"])
    const step = new Step(state, AwakeClock.start(0))
    const suspicious = { ...joined, suspected: names(1000) }
    assert.isAtMost(encodeClusterMessage(Heartbeat.opening(step, suspicious)).length, limit)
    assert.lengthOf(Heartbeat.heartbeat(step, suspicious).suspectedNodes, 1000)
  })

  it("texts are taken from the first, as long as they fit at worst", () => {
    assert.deepStrictEqual(withinBytes(["ab", "cd", "e"], 18), ["ab", "cd"])
    assert.deepStrictEqual(withinBytes(["abcdef"], 5), [])
    assert.deepStrictEqual(withinBytes([], 5), [])
  })
})
