/**
 * Who must agree. One rule set serves every policy; a policy is a quorum function over the voters of
 * a view, oldest first. Two policies with quorums let at most one side of a split change anything; the
 * third lets every side go on.
 */
import type { ViewBase, Voter } from "../wire/Extensions.ts"

export type Has = (voter: Voter) => boolean

export interface QuorumPolicy {
  readonly name: string
  /** May these voters settle a view or win a claim? */
  readonly quorum: (voters: ReadonlyArray<Voter>, has: Has) => boolean
  /**
   * May these accusers have a voter removed or deposed? `voters` are all, the accused among them, `reachable`
   * those that the judge hears, without the accused.
   */
  readonly accuse: (voters: ReadonlyArray<Voter>, reachable: ReadonlyArray<Voter>, accuses: Has) => boolean
  /** Does each won claim start a lineage of its own, because other sides may go on? */
  readonly forks: boolean
}

// Asked at every tick: no more voters are asked than it takes.
const areAtLeast = (count: number, voters: ReadonlyArray<Voter>, has: Has): boolean => {
  let missing = count
  for (let i = 0; missing > 0 && i < voters.length; i++) {
    const voter = voters[i]
    if (voter !== undefined && has(voter)) missing--
  }
  return missing <= 0
}

/** More than half of `voters`. */
export const mostOf = (voters: ReadonlyArray<Voter>, has: Has): boolean =>
  areAtLeast(Math.floor(voters.length / 2) + 1, voters, has)

/**
 * Every side of a split goes on, in its own lineage: any voter is a quorum. For data that merges.
 *
 * Accusing takes more than half of the voters that the judge hears. With any voter as accuser, one cut
 * link between two nodes would remove a member that all others hear (A and B cut, C hears both).
 */
export const available: QuorumPolicy = {
  name: "available",
  quorum: (voters, has) => voters.some(has),
  accuse: (_voters, reachable, accuses) => mostOf(reachable, accuses),
  forks: true
}

/** More than half of the voters, or half of them with the oldest: of two halves only one has it. */
const holdsMajority = (voters: ReadonlyArray<Voter>, has: Has): boolean => {
  const [oldest] = voters
  const holdsOldest = oldest !== undefined && has(oldest)
  return areAtLeast(holdsOldest ? Math.ceil(voters.length / 2) : Math.floor(voters.length / 2) + 1, voters, has)
}

/**
 * One side of a split goes on: the one with more than half of the voters, or with half of them and the oldest.
 * The others halt, keep their data and rejoin. Accusing takes the same quorum, of all voters.
 */
export const majority: QuorumPolicy = {
  name: "majority",
  quorum: holdsMajority,
  accuse: (voters, _reachable, accuses) => holdsMajority(voters, accuses),
  forks: false
}

/**
 * As {@link majority}, and never fewer than `count` voters: for a cluster of known size, whose survivors must not
 * shrink below it step by step. `count` is a whole number from 1; above 257 nodes that all start at once found nothing.
 */
export const staticQuorum = (count: number): QuorumPolicy => {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new RangeError(`staticQuorum: ${count} is no whole number from 1`)
  }
  const quorum = (voters: ReadonlyArray<Voter>, has: Has): boolean =>
    areAtLeast(count, voters, has) && holdsMajority(voters, has)
  return {
    name: `staticQuorum(${count})`,
    quorum,
    accuse: (voters, _reachable, accuses) => quorum(voters, accuses),
    forks: false
  }
}

/**
 * The largest part of `base.voters` accepted by `has` in which each founder finds a strict majority of
 * its own configured seeds plus itself. Two such parts of one seed graph always overlap for founders
 * with equal seeds, which is what keeps a cold start from founding twice.
 */
export const foundingQuorum = (base: ViewBase, has: Has): ReadonlyArray<Voter> => {
  const seeds = base.founding ?? []
  let group = base.voters.map((voter, index) => ({ voter, seeds: seeds[index] })).filter(({ voter }) => has(voter))
  for (;;) {
    const ids = new Set(group.map(({ voter }) => voter.nodeId))
    const kept = group.filter((member) => {
      if (member.seeds === undefined) return true
      const present = 1 + member.seeds.present.filter((id) => ids.has(id) && id !== member.voter.nodeId).length
      return 2 * present > member.seeds.configured + 1
    })
    if (kept.length === group.length) return kept.map(({ voter }) => voter)
    group = kept
  }
}

/** The quorum of a base: by its founders' seeds in a founding view, by the policy in every other. */
export const baseQuorum = (policy: QuorumPolicy, base: ViewBase, has: Has): boolean =>
  base.founding === undefined ? policy.quorum(base.voters, has) : foundingQuorum(base, has).length > 0
