/** What a node makes of rings: to whom it beats, whom it hears how often, and whose word is enough to remove somebody. */
import { assert, describe, expect, it } from "@effect/vitest"
import { Option } from "effect"
import type { MemberInfo } from "../../../src/domain/model/MemberInfo.ts"
import { majority } from "../../../src/domain/protocol/Quorum.ts"
import { partOf } from "../../../src/domain/protocol/SplitPart.ts"
import {
  allToAll,
  defaultTopology,
  electorsOf,
  hears,
  rings,
  ringsIn,
  stewards
} from "../../../src/domain/protocol/Topology.ts"
import { transition } from "../../../src/domain/protocol/Transition.ts"
import { heartbeat, masterOf, Transcript, type TranscriptOptions, welcome } from "./Transcript.ts"

const ids = ["n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n11", "n12"]
const onRings = { topology: rings({ k: 3, above: 0 }) }
const master = (): Transcript => masterOf("n1", ids, onRings)

const watchersOf = (node: Transcript, nodeId: string): ReadonlyArray<string> => [
  ...(ringsIn(node.state, node.joined.view)?.watchersOf.get(nodeId) ?? [])
]

/** The member `id` of the cluster that `master` leads, linked to all others by connections of their numbers. */
const memberOn = (id: string, options: TranscriptOptions = {}): Transcript => {
  const node = new Transcript(id, { ...onRings, ...options, seeds: ["n1"] }).tick().dialled(1, "n1")
  node.receive(1, welcome("n1", master().joined.view))
  for (const other of ids) {
    const connection = Number(other.slice(1))
    if (other !== id) node.accepted(connection).receive(connection, heartbeat(other, node))
  }
  return node.receive(1, heartbeat("n1", node, { promisedTo: "n1" }))
}

/** No steward, and no watcher of the master. */
const plain = (): string => {
  const watchers = watchersOf(master(), "n1")
  return ids.slice(2).find((id) => !watchers.includes(id)) ?? ""
}

/** Whom the last transition sent a heartbeat. */
const beaten = (node: Transcript): ReadonlyArray<string> =>
  node.commands.flatMap((command) =>
    command._tag === "Send" && command.message.type === "HEARTBEAT" ? [`n${command.connection}`] : []
  )

/** A member that no steward is, with a watcher of it that is none either. */
const pair = (node: Transcript): readonly [watched: string, watcher: string] => {
  for (const watched of ids.slice(2)) {
    const watcher = watchersOf(node, watched).find((id) => !["n1", "n2", "n3"].includes(id))
    if (watcher !== undefined) return [watched, watcher]
  }
  throw new Error("there is none")
}

/** Reports of all in each interval until `untilMs`; those named suspect others. The `silent` one says nothing. */
const pass = (
  node: Transcript,
  fromMs: number,
  untilMs: number,
  silent: string,
  accusers: ReadonlyArray<string>,
  own: ReadonlyArray<string> = []
): void => {
  for (let now = fromMs; now <= untilMs; now += 1000) {
    node.until(now, own)
    for (const id of ids) {
      if (id === silent) continue
      const suspectedNodes = accusers.includes(id) ? [silent] : []
      node.receive(Number(id.slice(1)), heartbeat(id, node, { suspectedNodes }))
    }
  }
}

const stateOf = (node: Transcript, nodeId: string): string | undefined =>
  node.joined.view.members.find((member) => member.nodeId === nodeId)?.state

const member = (index: number, change: Partial<MemberInfo> = {}): MemberInfo => ({
  nodeId: `m${index}`,
  host: "127.0.0.1",
  clientPort: 1,
  clusterPort: index,
  state: "active",
  joinVersion: index,
  incarnation: index,
  ...change
})
const members = (count: number): ReadonlyArray<MemberInfo> => Array.from({ length: count }, (_, i) => member(i + 1))

describe("a topology", () => {
  it("is all-to-all up to 100 members, and rings above, by default", () => {
    assert.isUndefined(defaultTopology.ringsOf(members(100)))
    assert.strictEqual(defaultTopology.ringsOf(members(101))?.watchersOf.get("m1")?.size, 8)
    assert.isUndefined(allToAll.ringsOf(members(1000)))
  })

  it("has no rings for too few members, nor beside a node of the reference, nor for those who are still joining", () => {
    const { ringsOf } = rings({ k: 3, above: 0 })
    assert.isUndefined(ringsOf(members(4)))
    assert.isDefined(ringsOf(members(5)))
    const { incarnation: _, ...reference } = member(9)
    assert.isUndefined(ringsOf([...members(8), reference]))
    assert.isFalse(ringsOf([...members(8), member(9, { state: "joining" })])?.watchersOf.has("m9"))
  })

  it("does not move anyone when a member is suspected or dead, until it is removed", () => {
    const { ringsOf } = rings({ k: 3, above: 0 })
    const before = ringsOf(members(9))?.watchersOf
    for (const state of ["suspect", "dead", "leaving"] as const) {
      assert.deepStrictEqual(ringsOf([...members(8), member(9, { state })])?.watchersOf, before)
    }
  })

  it.each([2, 65, 3.5])("with %d watchers is refused", (k) => {
    assert.throws(() => rings({ k }), RangeError)
  })
})

describe("on rings a node", () => {
  it("that has no office beats to its watchers in each interval, and to the stewards in every fourth", () => {
    const n1 = master()
    const { view } = n1.joined
    const found = ringsIn(n1.state, view)
    assert.isDefined(found)
    assert.strictEqual(hears(found, view, "n1", "n12"), watchersOf(n1, "n12").includes("n1") ? "beats" : "reports")
    const plain = ids.slice(2)
    for (const self of plain) {
      for (const other of plain) {
        if (self === other) continue
        const expected = watchersOf(n1, other).includes(self) ? "beats" : undefined
        assert.strictEqual(hears(found, view, self, other), expected)
      }
      assert.notStrictEqual(hears(found, view, self, "n2"), undefined)
    }
  })

  it("as a steward beats to its watchers, and in every fourth interval to all", () => {
    const n1 = master()
    const counts: Array<number> = []
    for (let now = 250; now <= 12_000; now += 250) {
      n1.until(now)
      if (beaten(n1).length > 0) counts.push(beaten(n1).length)
      if (now % 1000 === 0) for (const id of ids) n1.receive(Number(id.slice(1)), heartbeat(id, n1))
    }
    assert.deepStrictEqual(
      [...new Set(counts)].toSorted((a, b) => a - b),
      [3, 11]
    )
    expect(counts.filter((count) => count === 11).length).toBeLessThanOrEqual(4)
  })

  it("as a steward suspects those that report in vain, later than those that it watches", () => {
    const n1 = master()
    // The detector takes all for silent, at once: only of whom it hears in each interval it knows better than a clock.
    n1.until(5000, ids)
    const watched = ids.filter((id) => watchersOf(n1, id).includes("n1"))
    assert.sameMembers([...n1.joined.suspected], watched)
    n1.until(10_000, ids)
    assert.sameMembers([...n1.joined.suspected], ids)
    assert.isTrue(electorsOf(n1.state, n1.joined.view, "n12")?.has("n1"))
  })
})

describe("on rings a silent member", () => {
  it("is suspect by the word of two watchers, and dead when most of its watchers and of the stewards agree for the timeout", () => {
    const n1 = master()
    const [silent] = pair(n1)
    const watchers = watchersOf(n1, silent)
    n1.text()
    pass(n1, 1000, 16_000, silent, [...watchers, "n2"], watchers.includes("n1") ? [silent] : [])
    const news = n1
      .text()
      .split("\n")
      .filter((line) => line.includes("note: view"))
      .map((line) => line.replaceAll(/view \d+/g, "view v").replaceAll(silent, "x"))
    expect(news.join("\n")).toMatchInlineSnapshot(`
      "  note: view v settled: x is suspect
        note: view v settled: x is dead (suspected too long)"
    `)
  })

  it("stays while most of its watchers hear it, whoever else accuses it", () => {
    const n1 = master()
    const [silent] = pair(n1)
    const watchers = watchersOf(n1, silent)
    // Everyone but its watchers and the other stewards: on rings they cannot know.
    const others = new Set(ids.filter((id) => ![...watchers, silent, "n2", "n3"].includes(id)))
    for (let now = 1000; now <= 30_000; now += 1000) {
      n1.until(now)
      for (const id of ids) {
        n1.receive(Number(id.slice(1)), heartbeat(id, n1, { suspectedNodes: others.has(id) ? [silent] : [] }))
      }
    }
    assert.strictEqual(stateOf(n1, silent), "active")
  })

  it("is told to the stewards at once by who watches it, and by nobody else", () => {
    const n1 = master()
    const [silent] = pair(n1)
    for (let now = 1000; now <= 3000; now += 1000) pass(n1, now, now, "", [])
    n1.closed(Number(silent.slice(1))).refused(silent)
    const told = beaten(n1)
    assert.sameMembers([...told], ["n2", "n3"])
  })
})

describe("on rings", () => {
  it("the next oldest are reported to as well when stewards are gone", () => {
    const { joined, state } = master()
    expect([...stewards(state, joined)]).toEqual(["n2", "n3"])
    expect([...stewards(state, { ...joined, suspected: ["n2", "n3"] })]).toEqual(["n2", "n3", "n4", "n5"])
  })

  it("what is reported to a steward counts for 6.5 intervals", () => {
    const n1 = master()
    const { view } = n1.joined
    const found = ringsIn(n1.state, view)
    const rareElectorsOf = (id: string): ReadonlyArray<string> =>
      [...(electorsOf(n1.state, view, id) ?? [])].filter((elector) => hears(found, view, "n1", elector) === "reports")
    const accused = ids.find((id) => rareElectorsOf(id).length >= 2) ?? ""
    for (const id of rareElectorsOf(accused)) {
      n1.receive(Number(id.slice(1)), heartbeat(id, n1, { suspectedNodes: [accused] }))
    }
    n1.until(6000)
    expect(stateOf(n1, accused)).toBe("suspect")
    n1.until(7000)
    expect(stateOf(n1, accused)).toBe("active")
  })

  it("whoever becomes a watcher gives the member the time of a first heartbeat", () => {
    const n1 = master()
    pass(n1, 1000, 2000, "", [])
    n1.until(2500)
    const watched = (): ReadonlyArray<string> => ids.filter((id) => watchersOf(n1, id).includes("n1"))
    const before = watched()
    const leaver = before.find((id) => !["n2", "n3"].includes(id)) ?? ""
    const reason = Option.none()
    n1.receive(Number(leaver.slice(1)), {
      type: "LEAVE_REQUEST",
      nodeId: leaver,
      reason,
      incarnation: Number(leaver.slice(1)) * 1000
    })
    const newly = watched().find((id) => !before.includes(id)) ?? ""
    expect(ids).toContain(newly)
    n1.until(6500, [newly])
    expect(n1.joined.suspected).toEqual([])
    n1.until(8500, [newly])
    expect(n1.joined.suspected).toContain(newly)
  })

  it("a member tells of those that it watches, and of nobody else", () => {
    const id = plain()
    const node = memberOn(id)
    const others = ids.slice(2).filter((other) => other !== id)
    const tells = (other: string): ReadonlyArray<string> => {
      const one = memberOn(id)
        .closed(Number(other.slice(1)))
        .refused(other)
      expect(one.joined.suspected).toEqual([other])
      return beaten(one)
    }
    const watched = others.find((other) => watchersOf(node, other).includes(id)) ?? ""
    const stranger = others.find((other) => !watchersOf(node, other).includes(id)) ?? ""
    expect([...tells(watched)].toSorted()).toEqual(["n1", "n2", "n3"])
    expect(tells(stranger)).toEqual([])
  })

  it("who does not watch the master votes for a claimant although it hears the master itself", () => {
    const node = memberOn(plain())
    node.receive(2, heartbeat("n2", node, { promise: 1, promisedTo: "n2", suspectedNodes: ["n1"] }))
    expect(node.joined.promise).toEqual({ term: 1, to: "n2" })
  })

  it("who watches the master and hears it does not", () => {
    const id = watchersOf(master(), "n1").find((watcher) => !["n2", "n3"].includes(watcher)) ?? ""
    const node = memberOn(id)
    node.receive(2, heartbeat("n2", node, { promise: 1, promisedTo: "n2", suspectedNodes: ["n1"] }))
    expect(node.joined.promise.to).toBe("")
  })

  it("the oldest other claims when most electors of the master miss it, whatever its own link", () => {
    const n2 = memberOn("n2")
    for (const id of electorsOf(n2.state, n2.joined.view, "n1") ?? []) {
      if (id !== "n2") n2.receive(Number(id.slice(1)), heartbeat(id, n2, { suspectedNodes: ["n1"] }))
    }
    n2.until(500)
    expect(n2.joined.promise).toEqual({ term: 1, to: "n2" })
  })

  it("who holds an older view than a heartbeat shows asks for it", () => {
    const node = memberOn("n12").until(1000)
    node.receive(5, heartbeat("n5", node, { membersViewVersion: node.joined.view.version + 1 }))
    expect(beaten(node)).toContain("n5")
  })

  it("who is no steward takes the reach of its part from the master that it hears", () => {
    const node = memberOn(plain(), { policy: majority })
    const reach = () => transition((step) => partOf(step, node.joined).reach)(node.state, 8000)[1]
    for (let now = 1000; now <= 8000; now += 1000)
      node.until(now).receive(1, heartbeat("n1", node, { promisedTo: "n1" }))
    expect(reach()).toBe(ids.length + 1)
  })
})
