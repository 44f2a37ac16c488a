/**
 * The main scenarios of a cluster's life. Parts of a split look for each other every 2 s here, not every 30 s, and
 * suspicion lasts 2.5 s, not 10 s, so that a scenario ends soon.
 */
import type { Act, Policy, Scenario, Settings } from "./Scenario.ts"

const ids = ["n1", "n2", "n3", "n4", "n5"]
const settings = (policy: Policy): Settings => ({
  ids,
  policy,
  suspicionTimeoutMs: 2500,
  splitBrainCheckIntervalMs: 2000
})
const without = (id: string): string => ids.filter((other) => other !== id).join(" ")
const everyone = ids.join(" ")
/** Longer than any scenario. */
const forEverMs = 1e6

const frozen = (id: string, leader: string, how: string): Scenario => ({
  name: id === "n1" ? "a frozen master" : "a frozen follower",
  settings: settings("available"),
  acts: [
    {
      what: `${id} stands still for 12 s: it is promoted away`,
      faults: [{ _tag: "Freeze", node: id, forMs: 12_000 }],
      becomes: [`${without(id)}: ${without(id)}, led by ${leader}, ${how}`],
      limitMs: 9000,
      dead: [id]
    },
    {
      what: `${id} goes on: it rejoins`,
      faults: [],
      becomes: [`${everyone}: ${everyone}, led by ${leader}, ${how}`],
      limitMs: 25_000,
      staysMs: 1000
    }
  ]
})

const killed = (id: string, leader: string, how: string): Scenario => ({
  name: id === "n1" ? "a killed master" : "a killed follower",
  settings: settings("available"),
  acts: [
    {
      what: `${id} is killed: its backups are promoted`,
      faults: [{ _tag: "Kill", node: id, withHost: false }],
      becomes: [`${without(id)}: ${without(id)}, led by ${leader}, ${how}`],
      limitMs: 3000,
      dead: [id]
    },
    {
      what: `${id} is started again: it joins`,
      faults: [{ _tag: "Restart", node: id }],
      becomes: [`${everyone}: ${everyone}, led by ${leader}, ${how}`],
      limitMs: 15_000,
      staysMs: 1000
    }
  ]
})

const split = (
  policy: Policy,
  side: ReadonlyArray<string>,
  during: ReadonlyArray<string>,
  dead: ReadonlyArray<string>,
  after: string
): Scenario => ({
  name: `five split into three and two, and healed, ${policy}`,
  settings: settings(policy),
  acts: [
    {
      what: `nothing passes between ${side.join(" ")} and the others`,
      faults: [{ _tag: "Partition", side, oneWay: false, forMs: forEverMs }],
      becomes: during,
      limitMs: 15_000,
      staysMs: 4000,
      dead
    },
    { what: "the cut ends", faults: [{ _tag: "Heal" }], becomes: [after], limitMs: 30_000, staysMs: 2000 }
  ]
})

const rolling: Scenario = {
  name: "all restarted, one after the other, asked to leave or killed",
  settings: settings("majority"),
  acts: ids.flatMap((id, index): ReadonlyArray<Act> => {
    const leader = id === "n5" ? "n1" : `n${index + 2}`
    const how = "first lineage, later term"
    const isKilled = index % 2 === 1
    return [
      {
        what: `${id} ${isKilled ? "is killed" : "leaves"}`,
        faults: [isKilled ? { _tag: "Kill", node: id, withHost: false } : { _tag: "Leave", node: id }],
        becomes: [`${without(id)}: ${without(id)}, led by ${leader}, ${how}`],
        limitMs: 5000,
        dead: isKilled ? [id] : []
      },
      {
        what: `${id} is started again`,
        faults: [{ _tag: "Restart", node: id }],
        becomes: [`${everyone}: ${everyone}, led by ${leader}, ${how}`],
        limitMs: 15_000
      }
    ]
  })
}

export const scenarios: ReadonlyArray<Scenario> = [
  killed("n3", "n1", "first lineage, first term"),
  killed("n1", "n2", "new lineage, later term"),
  frozen("n3", "n1", "first lineage, first term"),
  frozen("n1", "n2", "new lineage, later term"),
  split(
    "available",
    ["n1", "n2", "n3"],
    ["n1 n2 n3: n1 n2 n3, led by n1, first lineage, first term", "n4 n5: n4 n5, led by n4, new lineage, later term"],
    ["n1", "n2", "n3", "n4", "n5"],
    // The losers have seen a later term: to admit them n1 has to rise above it, which under this policy is a fork.
    `${everyone}: ${everyone}, led by n1, new lineage, later term`
  ),
  split(
    "majority",
    ["n1", "n2"],
    ["n1 n2: still n1 n2 n3 n4 n5", "n3 n4 n5: n3 n4 n5, led by n3, first lineage, later term"],
    ["n1", "n2"],
    `${everyone}: ${everyone}, led by n3, first lineage, later term`
  ),
  rolling
]
