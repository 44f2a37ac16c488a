/**
 * Where each promise, each counterexample to a simpler design, each fault seen in nodes of the reference and each
 * incident of other systems has its test. A row whose test is renamed or removed fails.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"

/** What is held; the file below `test`; words of the test's name as they stand there. */
type Row = readonly [what: string, file: string, test: string]

const checks = "simulation/Checks.test.ts"
const never: ReadonlyArray<Row> = [
  ["1, of views: a version goes down", checks, "1: a version goes down in a process"],
  ["1, of tables", checks, "1: the version of a table goes down within a lineage"],
  ["2: two masters in one term of a lineage", checks, "2: two nodes act as master in one term of a lineage"],
  ["3: settled views conflict", checks, "3: two contents of one view, or two settled views"],
  ["4: a partition has no owner", checks, "4: a partition has no owner in a table"],
  [
    "5: an acknowledged write is lost",
    "testing/simulation/Data.test.ts",
    "no acknowledged write is lost, and all copies are equal in the end"
  ],
  [
    "6: who answers a quorum is removed",
    "simulation/Hunt.test.ts",
    "a member declared dead by one that alone does not hear it"
  ],
  ["7: something passes its bound", checks, "7: something passes its bound"],
  ["8: one seed, two traces", "testing/simulation/Simulation.test.ts", "of one seed gives the same trace twice"]
]

const eventually: ReadonlyArray<Row> = [
  "one lineage",
  "one view on all members",
  "a settled one",
  "one master",
  "one table",
  "a balanced table",
  "every partition at full backups",
  "no strays"
].map((what) => [what, checks, what])

const protocol = (file: string): string => `domain/protocol/${file}.test.ts`
const histories = protocol("Counterexamples")
const settlement = protocol("Settlement")
const counterexamples: ReadonlyArray<Row> = [
  [
    "heartbeats' suspicions as votes",
    settlement,
    "who has promised a later term does not acknowledge by holding the view"
  ],
  [
    "an adopted version or a higher one counts as adopted",
    settlement,
    "an acknowledgement of a later view does not settle"
  ],
  ["the term read off the promise", protocol("Mastership"), "who has promised itself a term and lost it does not act"],
  ["only active members vote", histories, "the master marks all others suspect, then dies"],
  ["the oldest active member is master", histories, "the oldest, deposed while it was frozen, does not act again"],
  ["the master's own detector removes", histories, "A and B are cut, C hears both: nobody is removed"],
  ["an instant quorum of complaints", histories, "three short outages and one flap do not make a quorum"],
  ["settling after a thaw", histories, "a master that proposes a death and freezes does not settle it"],
  ["a death is not looked at again", protocol("Majority"), "a death is not settled any more when the member is heard"],
  ["re-check on the new view's voters", settlement, "whoever is put out does not settle its own removal"],
  ["the base is that of the unsettled view", settlement, "the base of a view that supersedes an unsettled one"],
  ["anybody declares", settlement, "a follower that sees all acknowledgements does not declare"],
  ["staticQuorum(n) without a majority", protocol("Quorum"), "of two disjoint parts"],
  ["versions without lineage", settlement, "one of a foreign lineage is not taken, however high its version"],
  ["a leaving master that nothing supersedes", histories, "a master that is cut off while it leaves does not leave"],
  ["a leaver that exits at once", histories, "a leaving master tells its successors before it goes"],
  ["parts compared by nominal size", protocol("Merge"), "a live part of one, not a halted one"],
  ["terms raised while merging", histories, "parts that merge do not raise their terms against each other"],
  ["only the master probes", protocol("Merge"), "every member probes its seeds and former members"],
  ["a probe answers every probe", protocol("Merge"), "is probed at once, at most once in a heartbeat interval"]
]

/** Rules of membership whose breach neither the simulator nor walks show: each has a spec of its own. */
const leaving = protocol("Leaving")
const suspicion = protocol("Suspicion")
const mastership = protocol("Mastership")
const rules: ReadonlyArray<Row> = [
  ["11: an unsettled leave is superseded", leaving, "is superseded with the leaver back in"],
  ["11: also the master's own", leaving, "of the master itself is superseded with it back in"],
  ["13: a link has two ends", suspicion, "a link is bad by the word of either end"],
  ["13: reports grow old", suspicion, "what a member said of others counts for 3.5 intervals"],
  ["17: the rank of a claim", mastership, "the next in rank waits two intervals for the oldest to claim"],
  ["18: the term of a claim", mastership, "a claim is for a term above all that voters have promised"],
  ["19: an older view", mastership, "a claimant that holds an older view gets no vote"],
  ["19: an acting leaver", leaving, "of the master itself keeps it from voting"],
  [
    "26: a founder has an end of patience",
    protocol("Bootstrap"),
    "a founder takes back a founding that does not settle"
  ]
]

const simulated = "testing/simulation/Data.test.ts"
const replication = (file: string): string => `domain/replication/${file}.test.ts`
const copies = replication("Copies")
const mapWrites = replication("Writes")
const custody = protocol("Migrating")
const data: ReadonlyArray<Row> = [
  ["1: authority is a process's", mapWrites, "a process that has come back under a listed id is refused"],
  ["1: a foreign lineage", mapWrites, "takes nothing from an unrelated lineage, whatever its version"],
  ["2: the owner's stamp", "domain/data/MapOperation.test.ts", "is later than all that the key holds"],
  ["2: a clock that is far ahead", "domain/data/HybridClock.test.ts", "does not follow a clock that is a year ahead"],
  ["3: all of the present set", mapWrites, "is judged again when the set of replicas changes (rule 3)"],
  ["3: a destination that is ready", copies, "waits with writes for a destination that has been sent everything"],
  ["4: who is believed", mapWrites, "rejects whoever is not the owner by a table at least as new (rule 4)"],
  ["4: who may take it", mapWrites, "rejects the owner when it is neither replica nor destination itself (rule 4)"],
  ["5: who accepted from a newer owner", mapWrites, "acknowledges nothing until that table comes (rule 5)"],
  ["6: the same entry to the new owner", mapWrites, "goes to the new owner with its stamp"],
  ["7: an unknown fate is not tried again", mapWrites, "(rule 7: a broken connection leaves it unknown)"],
  ["8: only the owner copies", copies, "does not start a copy of what it does not own (rule 8)"],
  ["8: a row gains only a complete copy", custody, "when that says that it has everything, and not before (rule 8)"],
  ["9: the version of the plan", copies, "does not start by a table older than the plan's (rule 9)"],
  ["10: changes since before the first chunk", copies, "sends every change since before the first chunk is read"],
  ["11: all parts, unbroken", copies, "does not believe the end of a stream with a part missing (rule 11)"],
  ["12: the point of no return", copies, "does not give up once it is ready"],
  ["13: the destination's word", custody, "commits only on the destination's word (rule 13)"],
  ["13: the source still owns", custody, "commits nothing whose source does not own the partition any more"],
  ["14: a cancel with its table", copies, "takes a cancel only with the table on which it was decided (rule 14)"],
  ["14: an unknown id is closed", custody, "answers whoever asks about a migration that is not open"],
  ["15: a cancel wipes nothing", copies, "keeps what it has when the migration is cancelled (rule 15)"],
  ["17: strays come home", copies, "is offered to the owner, confirmed, and only then dropped (rule 17)"],
  ["17: what confirms them", copies, "is confirmed by the owner once its backups hold it (rule 17)"],
  ["18: a fresh process has no slots", custody, "gives a process that comes back under a listed id nothing"],
  ["19: nobody is left", copies, "is unavailable until all members have declared what they hold"],
  ["19: all nodes restart", simulated, "a restart of all nodes with their data loses nothing and reports nothing"],
  ["19: what is lost is told", simulated, "exactly the partitions without a surviving replica are reported lost"],
  ["20: copies carry tombstones", copies, "takes what it is sent whole, however old, whatever its owner has forgotten"],
  ["21: when tombstones go", replication("Tombstones"), "tombstones are forgotten (rule 21)"],
  ["22: what is gone stays gone", simulated, "removals that are forgotten (rule 22)"],
  ["23: too long out of touch", replication("Notes"), "while removals were forgotten is set aside (rule 23)"]
]

const topology = protocol("Topology")
const watching: ReadonlyArray<Row> = [
  ["stewards hear everyone", topology, "as a steward beats to its watchers, and in every fourth interval to all"],
  ["stewards that are gone", topology, "the next oldest are reported to as well when stewards are gone"],
  ["electors alone accuse", topology, "stays while most of its watchers hear it, whoever else accuses it"],
  ["a report is rare", topology, "what is reported to a steward counts for 6.5 intervals"],
  ["a new watcher", topology, "gives the member the time of a first heartbeat"],
  ["who tells", topology, "a member tells of those that it watches, and of nobody else"],
  ["who votes", topology, "who does not watch the master votes for a claimant"],
  ["who claims", topology, "the oldest other claims when most electors of the master miss it"],
  ["who is behind", topology, "who holds an older view than a heartbeat shows asks for it"],
  ["reach", topology, "who is no steward takes the reach of its part from the master that it hears"]
]

const peers = protocol("References")
const led: ReadonlyArray<Row> = [
  ["followed by its word", peers, "nobody else's is: not over a connection that somebody else has opened"],
  ["on its connection alone", peers, "a higher version is taken from it alone"],
  ["given its time", peers, "that is silent has the time of a suspicion before somebody takes over"],
  ["a lineage of its own", peers, "who takes over does so in a lineage of its own"],
  ["no reach", peers, "its part has no reach"],
  ["no vote", peers, "a node of the reference blocks nothing under a policy with a quorum"],
  ["versions rise by 16", peers, "beside it versions rise by more than it counts by itself"],
  ["a version that freezes", peers, "a version made to freeze ours is not believed"],
  ["taken back", peers, "it is taken back when it is heard again on its connection"]
]

const reference = protocol("ReferenceFaults")
const tcp = "layers/TransportTcp.test.ts"
const faults: ReadonlyArray<Row> = [
  ["1", reference, "1: a join brings everyone the same table"],
  ["2 and 3", reference, "2 and 3: a death reaches everyone as one view"],
  ["4", reference, "4: after the master's death all survivors are connected"],
  ["5", reference, "5: a node that comes back starts with a fresh detector history"],
  ["6", reference, "6: a suspect that is heard again is active"],
  ["7", reference, "7: one missed heartbeat costs nothing"],
  ["8", reference, "8: neither clocks that differ nor clocks that drift"],
  ["9", reference, "9: a member that never heartbeats is suspected"],
  ["10", reference, "10: the end of an old socket does not kill"],
  ["11", reference, "11: a joiner with the master's own id is refused"],
  ["12", reference, "12: an unjoined socket can neither freeze the view nor rewrite the table"],
  ["13", reference, "13: protocol version and token are checked"],
  ["14", reference, "14: a frozen master is replaced"],
  ["15", reference, "15: a cold start of mutual seeds"],
  ["17, a queue without a bound", tcp, "a peer that does not read costs at most the outbox's bytes"],
  [
    "17, a frame whose unknown fields cost a hundred times its size",
    "domain/codec/Fuzz.test.ts",
    "a reader that allocates what a frame claims is noticed"
  ],
  ["17, a header without a body is held", tcp, "half a frame has a deadline that single bytes do not move"],
  ["18", tcp, "a message larger than a frame fails its send, and the connection goes on"],
  ["19, seeds that are not masters", reference, "19: seeds that name only a member that is not master"],
  ["19, self-promotion", reference, "19: a node with unreachable seeds does not promote itself"],
  ["20", "layers/Cluster.test.ts", "nonsense in the configuration is a typed error that names the setting"]
]

const incidents: ReadonlyArray<Row> = [
  ["a crash during repartitioning", simulated, "a node crashes while partitions are on their way to a new one"],
  ["the only surviving copy is a deep backup", simulated, "the only copy that survives is a deep backup"],
  ["a partition heals during migration", simulated, "a network partition heals during a migration"],
  ["a failed migration freezes the table", simulated, "failed migrations do not freeze the table"],
  ["out of memory while rebalancing", copies, "waits for the destination when so much is under way"],
  ["hand-off to a dead incarnation", simulated, "what is handed to a process that dies is handed to its successor"],
  ["clock jumps, with data", simulated, "clocks jump"],
  ["a restart that races its own old incarnation, with data", simulated, "a restart races the old incarnation"],
  ["two members each sure to be master", histories, "two members each sure to be master"],
  ["A–B is cut but both see C", histories, "A and B are cut, C hears both"],
  ["a merge that never starts because both sides wait", protocol("Merge"), "both sides come to opposite answers"],
  [
    "simultaneous starts that form two clusters",
    histories,
    "of four nodes at once with equal seeds ends in one cluster"
  ],
  ["every address changes in a rolling upgrade", histories, "every address changes in a rolling upgrade"],
  ["clock jumps", "testing/simulation/Simulation.test.ts", "is not moved by a jump of the wall clock"],
  ["a restart that races its own old incarnation", protocol("Joining"), "a fresh process replaces the one before it"],
  ["a stalled process that blames its peers", protocol("Suspicion"), "a process that stood still accuses nobody"],
  ["an ignored result of a write", tcp, "a peer that does not read costs at most the outbox's bytes"]
]

describe.each([
  ["what must never happen", never],
  ["what comes in the end", eventually],
  ["counterexamples to simpler designs", counterexamples],
  ["rules of membership", rules],
  ["rules of data", data],
  ["who watches whom", watching],
  ["peers of the reference", led],
  ["faults of the reference", faults],
  ["incidents", incidents]
])("%s", (_, rows) => {
  it.each(rows)("%s: %s", (_what, file, test) => {
    expect(readFileSync(new URL(file, import.meta.url), "utf8")).toContain(test)
  })
})
