import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { MemberInfo } from "../../../src/domain/model/MemberInfo.ts"
import { MembersView } from "../../../src/domain/model/MembersView.ts"
import type { NodeState } from "../../../src/domain/model/NodeState.ts"
import { decideMerge, type RemoteCluster } from "../../../src/domain/protocol/DecideMerge.ts"

type Row = readonly [nodeId: string, state: NodeState, joinVersion: number]

const viewOf = (rows: ReadonlyArray<Row>): MembersView => ({
  version: 1,
  members: rows.map(([nodeId, state, joinVersion]): MemberInfo => ({
    nodeId,
    host: "10.0.0.1",
    clientPort: 1,
    clusterPort: 2,
    state,
    joinVersion
  }))
})

const remote: RemoteCluster = {
  clusterId: "c",
  masterId: "m",
  masterAddress: "10.9.9.9:9090",
  memberCount: 2,
  viewVersion: 7,
  masterJoinVersion: 5
}
const rejoin = { _tag: "LocalShouldMerge", remoteMasterAddress: "10.9.9.9:9090" } as const
const stay = { _tag: "RemoteShouldMerge" } as const

/** What a probe of this view tells the other side; `undefined` without a master. */
const summary = (view: MembersView, masterAddress: string): RemoteCluster | undefined => {
  const master = MembersView.master(view)
  if (master === undefined) return undefined
  return {
    clusterId: "c",
    masterId: master.nodeId,
    masterAddress,
    memberCount: MembersView.activeMembers(view).length,
    viewVersion: view.version,
    masterJoinVersion: master.joinVersion
  }
}

describe("decideMerge", () => {
  it.each<{ rule: string; rows: ReadonlyArray<Row>; expected: typeof rejoin | typeof stay }>([
    {
      rule: "more active members stay",
      rows: [
        ["z", "active", 9],
        ["y", "active", 9],
        ["x", "active", 9]
      ],
      expected: stay
    },
    { rule: "fewer active members rejoin", rows: [["a", "active", 0]], expected: rejoin },
    {
      rule: "only active members count",
      rows: [
        ["a", "active", 0],
        ["b", "suspect", 1],
        ["c", "joining", 2]
      ],
      expected: rejoin
    },
    {
      rule: "the older master stays",
      rows: [
        ["z", "active", 4],
        ["y", "active", 9]
      ],
      expected: stay
    },
    {
      rule: "the younger master rejoins",
      rows: [
        ["a", "active", 6],
        ["b", "active", 9]
      ],
      expected: rejoin
    },
    {
      rule: "the lower id stays",
      rows: [
        ["a", "active", 5],
        ["b", "active", 9]
      ],
      expected: stay
    },
    {
      rule: "the higher id rejoins",
      rows: [
        ["n", "active", 5],
        ["o", "active", 9]
      ],
      expected: rejoin
    },
    {
      rule: "the same master rejoins",
      rows: [
        ["m", "active", 5],
        ["o", "active", 9]
      ],
      expected: rejoin
    },
    { rule: "a part without active members rejoins", rows: [["a", "dead", 0]], expected: rejoin }
  ])("$rule", ({ rows, expected }) => {
    assert.deepStrictEqual(decideMerge("c", viewOf(rows), remote), expected)
  })

  it("lets a part without active members rejoin even an empty one", () => {
    for (const rows of [[], [["a", "dead", 0]]] satisfies ReadonlyArray<ReadonlyArray<Row>>) {
      assert.deepStrictEqual(decideMerge("c", viewOf(rows), { ...remote, memberCount: 0 }), rejoin)
    }
  })

  it("compares master ids by code point, not by UTF-16 unit", () => {
    const other = { ...remote, masterId: "\u{FF21}", memberCount: 1 }
    assert.deepStrictEqual(decideMerge("c", viewOf([["\u{1F680}", "active", 5]]), other), rejoin)
    const rocket = { ...remote, masterId: "\u{1F680}", memberCount: 1 }
    assert.deepStrictEqual(decideMerge("c", viewOf([["\u{FF21}", "active", 5]]), rocket), stay)
  })

  it("never merges different cluster ids, whatever the sizes", () => {
    assert.deepStrictEqual(decideMerge("", viewOf([]), remote), { _tag: "CannotMerge" })
    assert.deepStrictEqual(decideMerge("C", viewOf([]), remote), { _tag: "CannotMerge" })
  })

  // Few join versions and sizes, so that ties are common; two of three members are active.
  const states: ReadonlyArray<NodeState> = ["active", "suspect", "active", "active", "leaving", "active"]
  const Rows = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 23 }))).check(
    Schema.isMinLength(1),
    Schema.isMaxLength(5)
  )
  const part = (codes: ReadonlyArray<number>, name: (i: number) => string): MembersView =>
    viewOf(codes.map((code, i) => [name(i), states[code % 6] ?? "dead", Math.floor(code / 6)] as const))
  let decided = 0
  let ties = 0

  it.prop(
    "asks exactly one of any two parts with different masters",
    { left: Rows, right: Rows },
    ({ left, right }) => {
      const a = part(left, (i) => `left-${i}`)
      const b = part(right, (i) => `${i}-right`)
      const ofA = summary(a, "a:1")
      const ofB = summary(b, "b:1")
      if (ofA === undefined || ofB === undefined) return true
      decided++
      if (ofA.memberCount === ofB.memberCount) ties++
      const tags = [decideMerge("c", a, ofB), decideMerge("c", b, ofA)].map((decision) => decision._tag)
      return tags.toSorted().join() === "LocalShouldMerge,RemoteShouldMerge"
    },
    { arbitrary: { runs: 1500, seed: "merge" } }
  )

  it("was asked about enough pairs for that to mean something", () => {
    assert.isAbove(decided, 300)
    assert.isAbove(ties, 50)
  })
})
