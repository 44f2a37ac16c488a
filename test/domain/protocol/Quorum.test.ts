/** Quorum functions: of two sides of any split at most one may go on, now and with its successor. */
import { describe, expect, it } from "vitest"
import { available, majority, type QuorumPolicy, staticQuorum } from "../../../src/domain/protocol/Quorum.ts"
import type { Voter } from "../../../src/domain/wire/Extensions.ts"

const voters = (count: number): ReadonlyArray<Voter> =>
  Array.from({ length: count }, (_, i) => ({ nodeId: `n${i + 1}`, incarnation: i }))

/** Every part of the voters, as bits. */
const parts = (count: number): ReadonlyArray<number> => Array.from({ length: 2 ** count }, (_, bits) => bits)

const agree = (policy: QuorumPolicy, all: ReadonlyArray<Voter>, bits: number): boolean =>
  policy.quorum(all, (voter) => (bits & (1 << voter.incarnation)) !== 0)

describe("quorums", () => {
  it.each([majority, staticQuorum(1), staticQuorum(3)])(
    "$name: of two disjoint parts at most one is a quorum",
    (policy) => {
      for (let count = 1; count <= 7; count++) {
        const all = voters(count)
        for (const bits of parts(count)) {
          const rest = 2 ** count - 1 - bits
          expect(agree(policy, all, bits) && agree(policy, all, rest), `${bits} of ${count}`).toBe(false)
        }
      }
    }
  )

  it.each([
    { policy: majority, of: 4, held: ["n1", "n2"], holds: true },
    { policy: majority, of: 4, held: ["n3", "n4"], holds: false },
    { policy: majority, of: 4, held: ["n2", "n3", "n4"], holds: true },
    { policy: majority, of: 3, held: ["n2", "n3"], holds: true },
    { policy: majority, of: 3, held: ["n1"], holds: false },
    { policy: majority, of: 0, held: [], holds: false },
    { policy: staticQuorum(3), of: 4, held: ["n1", "n2"], holds: false },
    { policy: staticQuorum(2), of: 5, held: ["n1", "n2"], holds: false },
    { policy: staticQuorum(2), of: 2, held: ["n1", "n2"], holds: true },
    { policy: staticQuorum(2), of: 1, held: ["n1"], holds: false },
    { policy: available, of: 5, held: ["n5"], holds: true }
  ])("$policy.name: $held of $of is a quorum: $holds", ({ policy, of, held, holds }) => {
    expect(policy.quorum(voters(of), (voter) => held.includes(voter.nodeId))).toBe(holds)
  })

  it("majority: accusers are counted among all voters, the accused with them", () => {
    const [all, heard] = [voters(4), voters(4).slice(0, 3)]
    const accuse = (ids: ReadonlyArray<string>) => majority.accuse(all, heard, (voter) => ids.includes(voter.nodeId))
    expect(accuse(["n1", "n2"])).toBe(true)
    expect(accuse(["n2", "n3"])).toBe(false)
    expect(accuse(["n1", "n2", "n3"])).toBe(true)
  })

  it("staticQuorum: a size that is no whole number from 1 is refused", () => {
    for (const count of [0, -1, 1.5, Number.NaN, Infinity]) expect(() => staticQuorum(count)).toThrow(RangeError)
  })
})
