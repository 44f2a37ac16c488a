/** The mutants, by the rule that each breaks: `W` of who watches whom, `P` of peers of the reference. */
import { dataMutants } from "./DataMutants.ts"
import { mutantVariable, type Mutant } from "./Mutant.ts"

const inProtocol = (
  rule: string,
  name: string,
  file: string,
  find: string,
  replace: string,
  equivalent?: string
): Mutant => ({
  rule,
  name,
  file: `protocol/${file}.ts`,
  find,
  replace,
  ...(equivalent === undefined ? {} : { equivalent })
})

const membershipMutants: ReadonlyArray<Mutant> = [
  inProtocol(
    "1",
    "who rejoins keeps its incarnation",
    "Adoption",
    "self: { nodeId: step.self.nodeId, incarnation: step.self.incarnation + 1 }",
    "self: step.self"
  ),
  inProtocol(
    "2",
    "an unsettled view is the base of the next",
    "Settlement",
    "base: base ?? (joined.settled ? { voters: votersOf(from.members) } : from.base)",
    "base: base ?? { voters: votersOf(from.members) }"
  ),
  inProtocol(
    "3",
    "joining members are voters",
    "ClusterView",
    `member.state === "active" || member.state === "suspect"`,
    `member.state === "active" || member.state === "joining" || member.state === "suspect"`
  ),
  inProtocol(
    "3",
    "only active members are voters",
    "ClusterView",
    `member.state === "active" || member.state === "suspect" || member.state === "leaving"`,
    `member.state === "active"`
  ),
  inProtocol(
    "4",
    "either half of the voters is a majority",
    "Quorum",
    "const holdsOldest = oldest !== undefined && has(oldest)",
    "const holdsOldest = oldest !== undefined"
  ),
  inProtocol(
    "4",
    "staticQuorum(n) asks for n voters and no majority",
    "Quorum",
    "areAtLeast(count, voters, has) && holdsMajority(voters, has)",
    "areAtLeast(count, voters, has)"
  ),
  inProtocol(
    "5",
    "the base is not asked",
    "Settlement",
    "(joined.settled || baseQuorum(step.state.policy, joined.view.base, has))",
    "true"
  ),
  inProtocol(
    "6",
    "the acting master is who promised itself the term, owned or not",
    "ClusterState",
    "return joined.ownTerm === term && joined.promise.term === term",
    "return joined.promise.term === term",
    "promise.to is only ever this node by its own claim, which a view of the term then makes its own term"
  ),
  inProtocol(
    "6",
    "the oldest acts, whoever owns the term",
    "ClusterState",
    "return joined.ownTerm === term && joined.promise.term === term && joined.promise.to === state.self.nodeId",
    `const oldest = joined.view.members.find((member) => member.state === "active"); return term === termOf(joined.view.version) && oldest?.nodeId === state.self.nodeId`
  ),
  inProtocol(
    "7",
    "proposes what those that it hears cannot settle",
    "Duties",
    "voters.length === 0 || !policy.quorum(voters, heard) || !baseQuorum(policy, base, heard)",
    "voters.length === 0"
  ),
  inProtocol(
    "7",
    "proposes and declares at once after a stall",
    "Transition",
    "step.set({ holdUntilMs: Math.max(holdUntilMs, step.nowMs + holdMs) })",
    "step.set({ holdUntilMs: holdUntilMs + 0 * holdMs })"
  ),
  inProtocol(
    "8",
    "a higher version of any lineage is adopted",
    "ViewUpdate",
    "view.version > mine.version && continues(joined, view)",
    "view.version > mine.version"
  ),
  inProtocol(
    "8",
    "who sends an older view gets no newer one",
    "ViewUpdate",
    '        Mesh.sendTo(step, from, membersUpdate(joined))\n        return "older"',
    '        return "older"'
  ),
  inProtocol(
    "9",
    "an acknowledgement of a later view counts",
    "Settlement",
    "report.version === joined.view.version &&",
    "report.version >= joined.view.version &&",
    "a later view is of a later term, because its master alone makes views in a term; who took it has promised that term"
  ),
  inProtocol(
    "9",
    "who has promised a later term acknowledges",
    "Settlement",
    "report.promise.term <= termOf(joined.view.version)",
    "report.promise.term >= 0"
  ),
  inProtocol(
    "9",
    "anybody declares a view settled",
    "Settlement",
    "joined === undefined || joined.settled || !isActing(step.state, joined)",
    "joined === undefined || joined.settled",
    "nobody who does not act comes to it: the duties, a founding and a proposal are the master's, and ask that first"
  ),
  inProtocol(
    "10",
    "who has come back is declared dead",
    "Settlement",
    "!deadAreStillGone(step, joined) || !isJoint",
    "!isJoint"
  ),
  inProtocol(
    "11",
    "an unsettled view is never superseded",
    "Duties",
    "(!joined.settled && step.nowMs - joined.viewAtMs < step.timing.supersedeMs)",
    "!joined.settled"
  ),
  inProtocol(
    "11",
    "leavers do not come back into a view that could not settle",
    "Duties",
    "() => withLeaversBack(step, joined, plan(step, joined, false))",
    "() => plan(step, joined, false)"
  ),
  inProtocol(
    "11",
    "a master whose own leave did not settle stays out",
    "Duties",
    "? [() => selfBack(step, joined)]",
    "? [() => undefined]"
  ),
  inProtocol(
    "12",
    "who is out of a settled view goes on",
    "ViewUpdate",
    "if (joined === undefined || !joined.settled) return false",
    "if (joined === undefined || step.nowMs >= 0) return false"
  ),
  inProtocol(
    "13",
    "a link is bad only by the word of the accuser",
    "Suspicion",
    "byVoter.includes(member.nodeId) || suspectedBy(member)?.includes(voter.nodeId) === true",
    "byVoter.includes(member.nodeId)"
  ),
  inProtocol(
    "13",
    "old reports count",
    "Peers",
    "return step.nowMs - heardAtMs < freshMs(step, joined, voter.nodeId) ? report : undefined",
    "return freshMs(step, joined, voter.nodeId) > 0 ? report : undefined"
  ),
  {
    rule: "14",
    name: "an outage is a sample",
    file: "detection/SamplingRule.ts",
    find: `if (gapMs > config.maxNoHeartbeatMs) return "outage"`,
    replace: ""
  },
  {
    rule: "14",
    name: "heartbeats out of turn are samples",
    file: "detection/SamplingRule.ts",
    find: `gapMs < minSampleSpacing * config.heartbeatIntervalMs ? "early" : "sample"`,
    replace: `gapMs < 0 ? "early" : "sample"`
  },
  inProtocol(
    "15",
    "the master's own suspicion is a death",
    "Duties",
    "joined.suspected.includes(member.nodeId) : isGone(step, joined, toVoter(member))",
    "joined.suspected.includes(member.nodeId) : true"
  ),
  inProtocol(
    "15",
    "under available any accuser is enough",
    "Quorum",
    "accuse: (_voters, reachable, accuses) => mostOf(reachable, accuses)",
    "accuse: (_voters, reachable, accuses) => reachable.some(accuses)"
  ),
  inProtocol(
    "15",
    "suspicions need not last: the timer runs on when a quorum is not of one mind",
    "Duties",
    "if (!gone) suspectSince.delete(member.nodeId)",
    "if (!gone) since(suspectSince, member.nodeId)"
  ),
  inProtocol(
    "16",
    "an ended connection alone is proof",
    "LinkEvents",
    "  Mesh.markLost(step, nodeId)\n",
    `  Mesh.markLost(step, nodeId)\n  Suspicion.prove(step, member, "its connection ended")\n`
  ),
  inProtocol(
    "16",
    "a refused redial is no proof",
    "Suspicion",
    `if (lostAndSilent) prove(step, member, "its connection ended and its address refuses a new one")\n  else if`,
    "if"
  ),
  inProtocol(
    "17",
    "no pre-vote: whoever misses the master claims",
    "Mastership",
    "if (!isSpared && isDeposed(step, joined, toVoter(master)))",
    "if (!isSpared && (isDeposed(step, joined, toVoter(master)) || master.nodeId !== step.self.nodeId))"
  ),
  inProtocol(
    "17",
    "all claim at once, whatever their rank",
    "Mastership",
    "if (step.nowMs - sinceMs < rank * step.timing.rankWaitMs) return",
    "if (step.nowMs - sinceMs < 0 * rank) return"
  ),
  inProtocol(
    "18",
    "a claim is for the next term, whatever others have promised",
    "Mastership",
    "claim(step, highestPromise(step.state, joined) + 1, `${master.nodeId} is not heard`)",
    "claim(step, termOf(joined.view.version) + 1, `${master.nodeId} is not heard`)"
  ),
  inProtocol(
    "19",
    "a voter promises one term to many",
    "Mastership",
    "claimed.promise.term <= joined.promise.term) return",
    "claimed.promise.term < joined.promise.term) return"
  ),
  inProtocol(
    "19",
    "a claimant with an older view gets votes",
    "Mastership",
    "if (claimed.version < joined.view.version) return",
    ""
  ),
  inProtocol(
    "19",
    "everyone is entitled to a vote",
    "Mastership",
    "if (!isEntitled(step, joined, claimant)) return",
    ""
  ),
  inProtocol(
    "19",
    "an acting leaver votes",
    "Mastership",
    "if (isActing(step.state, joined) && !joined.settled && self === undefined) return",
    ""
  ),
  inProtocol("20", "a claim is won without votes", "Mastership", "if (!isJoint(step, joined, voted)) return", ""),
  inProtocol(
    "20",
    "voters with a newer view help an older one to win",
    "Mastership",
    "report.version <= joined.view.version\n    )",
    "report.version >= 0\n    )"
  ),
  inProtocol(
    "20",
    "who was older than the winner stays older",
    "Mastership",
    "return { ...member, joinVersion: version, state: silent ?",
    "return { ...member, state: silent ?"
  ),
  inProtocol(
    "20",
    "no claim rises above what a joiner has held",
    "Duties",
    "if (lastVersion >= joined.view.version) needed",
    "if (lastVersion < 0) needed"
  ),
  inProtocol(
    "21",
    "a joiner is welcomed before its view is settled",
    "Settlement",
    "const settled = trySettle(step)\n  const proposed = step.joined",
    "const settled = trySettle(step)\n  if (step.joined !== undefined) welcomeAwaited(step, step.joined)\n  const proposed = step.joined"
  ),
  inProtocol(
    "21",
    "a silent joiner stays",
    "Duties",
    "silent && nowMs - since(suspectSince, member.nodeId) > timing.joinerDropMs",
    "silent && since(suspectSince, member.nodeId) < 0 && timing.joinerDropMs > 0"
  ),
  inProtocol(
    "22",
    "another incarnation is no proof of death",
    "Joining",
    `    Suspicion.prove(step, member, "its id came back as another process")\n`,
    ""
  ),
  inProtocol(
    "22",
    "a second process takes a living member's id",
    "Joining",
    "if (member !== undefined && isIdTaken(step, joined, member, request)) {",
    "if (member !== undefined && isIdTaken(step, joined, member, request) && step.nowMs < 0) {"
  ),
  inProtocol(
    "23",
    "a leaving master exits before anybody knows",
    "Leaving",
    "  if (knows) stop(step)\n  return knows",
    "  stop(step)\n  return knows || true"
  ),
  inProtocol(
    "24",
    "every fresh node is a candidate",
    "Founding",
    "if (candidate(step, fresh) !== step.self.nodeId) return false",
    ""
  ),
  inProtocol(
    "25",
    "founders need no majority of their seeds",
    "Quorum",
    "return 2 * present > member.seeds.configured + 1",
    "return present > 0"
  ),
  inProtocol(
    "26",
    "a founding is adopted without a promise",
    "JoinAnswered",
    `if (!settled && view.base.founding !== undefined && !isPromised) return "otherFounding"`,
    "void isPromised"
  ),
  inProtocol(
    "26",
    "a founder waits for ever",
    "JoinAnswered",
    "if (ageMs <= patienceMs) return false",
    "if (ageMs <= patienceMs || joined.founder) return false"
  ),
  inProtocol(
    "27",
    "a lost view is kept",
    "LostView",
    "if (isJoint(step, joined, (voter) => mayVote(step, joined, voter))) return false",
    "if (isJoint(step, joined, (voter) => mayVote(step, joined, voter)) || step.nowMs >= 0) return false"
  ),
  inProtocol(
    "27",
    "silence loses a view",
    "LostView",
    "if (peer?.provenDead === voter.incarnation) return false",
    "if (peer?.provenDead === voter.incarnation || joined.suspected.includes(voter.nodeId)) return false"
  ),
  inProtocol(
    "28",
    "who knows of a live cluster founds another",
    "Founding",
    " || fresh.formerVoters.length > 0) return false\n  if (candidate",
    ") return false\n  if (candidate"
  ),
  inProtocol("29", "nobody probes", "Probing", "if (step.nowMs >= nextProbeAtMs) probeAll(step)", "void nextProbeAtMs"),
  inProtocol(
    "29",
    "every probe is answered with a probe",
    "Probing",
    "if (asked.has(lineage) || asked.size >= maxForeignLineages) return false",
    "if (asked.size >= maxForeignLineages) return true"
  ),
  inProtocol(
    "30",
    "parts are compared by the members that they list",
    "SplitPart",
    "if (!canReach(step, joined)) return 0\n  const voters = votersOf(joined.view.members)\n  return relies(step, joined)",
    "const voters = votersOf(joined.view.members)\n  return relies(step, joined) || voters.length > 0"
  ),
  inProtocol(
    "30",
    "the winner of a merge may dissolve at once",
    "Merge",
    `if (step.nowMs - step.state.split.wonAtMs < step.timing.mergeHoldMs) return "hasJustWon"`,
    ""
  ),
  inProtocol(
    "30",
    "a halted part waits for ever",
    "Merge",
    "mine.reach === 0 && part.reach > 0 && part.voters.length > 0 && hasHaltedLong(step)",
    "mine.reach === 0 && part.reach > 0 && part.voters.length > 0 && hasHaltedLong(step) && step.nowMs < 0"
  ),
  inProtocol(
    "31",
    "a claim under available stays in the lineage",
    "Mastership",
    "step.state.policy.forks || isLed ? { lineage: claimedLineage(step, term) } : {}",
    "isLed ? { lineage: claimedLineage(step, term) } : {}"
  ),
  // ---- who watches whom, of docs/protocol.md ------------------------------------------------------------
  inProtocol(
    "W",
    "on rings everyone still beats to everyone",
    "Heartbeat",
    "if (joined === undefined || rings === undefined) return broadcast(step)",
    "if (joined === undefined || rings === undefined || step.nowMs >= 0) return broadcast(step)"
  ),
  inProtocol(
    "W",
    "on rings nobody reports to the stewards",
    "Heartbeat",
    "if (reports(step, joined)) {",
    "if (step.nowMs < 0) {"
  ),
  inProtocol(
    "W",
    "reports go to the oldest voters also when those are gone",
    "Topology",
    "if (isLiving || rank < stewardCount) ids.add(nodeId)",
    "if (rank < stewardCount) ids.add(nodeId)"
  ),
  inProtocol(
    "W",
    "on rings everyone may accuse",
    "Topology",
    "const ids = new Set(found.watchersOf.get(nodeId))",
    "const ids = new Set(found.watchersOf.get(nodeId))\n  if (ids.size >= 0) return undefined"
  ),
  inProtocol(
    "W",
    "on rings stewards may accuse nobody",
    "Topology",
    "  for (const voter of votersOf(view.members).slice(0, stewardCount)) ids.add(voter.nodeId)\n",
    ""
  ),
  inProtocol(
    "W",
    "whoever reports in vain is missed like who beats in vain",
    "Suspicion",
    `if (often === "reports") return silentMs > step.timing.reportIntervalMs + maxNoHeartbeatMs`,
    ""
  ),
  inProtocol(
    "W",
    "reports to stewards grow old as soon as heartbeats",
    "Peers",
    "return isRare ? step.timing.rareReportFreshMs : step.timing.reportFreshMs",
    "void isRare\n  return step.timing.reportFreshMs"
  ),
  inProtocol("W", "a new watcher accuses at once", "Suspicion", " || peer.heardAtMs < peer.expectedSinceMs) {", ") {"),
  inProtocol(
    "W",
    "suspicions are told to everyone",
    "Heartbeat",
    "if (electors === undefined) return broadcast(step)",
    "if (step.nowMs >= 0) return broadcast(step)"
  ),
  inProtocol(
    "W",
    "whoever does not watch a member tells its silence too",
    "Heartbeat",
    "isAsked ||= electors.has(step.self.nodeId)",
    "isAsked ||= electors !== undefined"
  ),
  inProtocol(
    "W",
    "who does not watch the master votes by its own link to it",
    "Mastership",
    "const watches = electorsOf(step.state, joined.view, master.nodeId)?.has(step.self.nodeId) ?? true",
    "const watches = electorsOf(step.state, joined.view, master.nodeId) !== null"
  ),
  inProtocol(
    "W",
    "on rings only the own link tells of the master's silence",
    "Mastership",
    " || (isOnRings(step, joined) && isGone(step, joined, master))",
    ""
  ),
  inProtocol(
    "W",
    "who beats to us with a newer view is not asked for it",
    "HeartbeatReceived",
    "const mustAsk = report.votes &&",
    "const mustAsk = step.nowMs < 0 &&"
  ),
  inProtocol(
    "W",
    "who is no steward counts whom it hears itself",
    "SplitPart",
    "if (ringsIn(step.state, joined.view) === undefined || actsAsSteward(step.state, joined)) return false",
    "if (ringsIn(step.state, joined.view) === undefined || actsAsSteward(step.state, joined) || step.nowMs >= 0) return false"
  ),
  inProtocol(
    "W",
    "joining members stand on the rings",
    "Topology",
    `members.filter(({ state }) => state !== "joining")`,
    "members"
  ),
  inProtocol(
    "W",
    "there are rings beside nodes of the reference",
    "Topology",
    "placed.length > atLeast && members.every(({ incarnation }) => incarnation !== undefined)",
    "placed.length > atLeast"
  ),
  // ---- peers of the reference, decision 0014 ---------------------------------------------------------------
  inProtocol(
    "P",
    "a bare list is followed from anybody",
    "Following",
    "if (!isTrusted(step, fresh, id) || from === step.self.nodeId)",
    "if (from === step.self.nodeId)"
  ),
  inProtocol(
    "P",
    "any sender's list is the leader's",
    "Following",
    "if (lineage !== undefined || !isFromLeader(step, joined, from, id)) return",
    "if (lineage !== undefined) return"
  ),
  inProtocol(
    "P",
    "a leader's list that is not newer is taken",
    "Following",
    `if (view.version <= joined.view.version) return "older"`,
    ""
  ),
  inProtocol(
    "P",
    "nodes of the reference vote",
    "ClusterView",
    `member.state === "leaving") && !isReference(member)`,
    `member.state === "leaving")`
  ),
  inProtocol(
    "P",
    "their suspicions count",
    "HeartbeatReceived",
    "suspected: [],\n    tableVersion",
    "suspected: report.suspected,\n    tableVersion"
  ),
  inProtocol(
    "P",
    "a version made to freeze the view is believed",
    "References",
    "if (aheadBy > maxRecount || aheadBy < 0",
    "if (aheadBy < 0"
  ),
  inProtocol(
    "P",
    "beside them versions rise by one",
    "Duties",
    "? last + recountStep - 1 : last)",
    "? last : recountStep * 0 + last)"
  ),
  inProtocol(
    "P",
    "whoever uses the name of a removed one is taken back",
    "References",
    "if (!isItsOwn || joined.joins.has(senderId)) return false",
    "if (joined.joins.has(senderId)) return false"
  ),
  inProtocol(
    "P",
    "a leader that is late is not given its time",
    "Mastership",
    "if (!isSpared && isDeposed",
    "void isSpared\n  if (isDeposed"
  ),
  inProtocol(
    "P",
    "who takes over from a leader of the reference stays in its lineage",
    "Mastership",
    "step.state.policy.forks || isLed ?",
    "step.state.policy.forks ?"
  ),
  inProtocol(
    "P",
    "a part that a node of the reference leads can win",
    "SplitPart",
    "  reach: 0,\n",
    "  reach: votersOf(joined.view.members).length + 1,\n"
  ),
  // ---- faults of the reference ------------------------------------------------------------------------
  inProtocol(
    "F1",
    "a changed table reaches only its maker",
    "TableSharing",
    "    Mesh.sendTo(step, member.nodeId, message)\n",
    ""
  ),
  inProtocol(
    "F2",
    "a view is not sent to the members",
    "Settlement",
    "  tell(step, proposed, membersUpdate(proposed))\n",
    ""
  ),
  inProtocol(
    "F4",
    "nobody dials a member that it misses",
    "JoinAnswered",
    "if (compareAge(member, self) > 0 && !isMissed) continue",
    "if (step.nowMs >= 0) continue"
  ),
  inProtocol(
    "F5",
    "a node that comes back keeps its detector history",
    "Adoption",
    "if (known === undefined || replaced) step.forgetDetector(nodeId)",
    "void replaced"
  ),
  inProtocol(
    "F6",
    "a suspect stays one",
    "Duties",
    `members.push(member.state === "suspect" ? { ...member, state: "active" } : member)`,
    "members.push(member)"
  ),
  inProtocol(
    "F9",
    "a member that was never heard counts as alive",
    "Suspicion",
    "    return silentMs > maxNoHeartbeatMs\n  }",
    "    return false\n  }"
  ),
  inProtocol(
    "F10",
    "the end of an old connection loses the new one",
    "Mesh",
    "return rest.length === 0 ? connection.nodeId : undefined",
    "return connection.nodeId"
  ),
  inProtocol(
    "F10",
    "a connection too many is closed while it is used",
    "Surplus",
    "if (agreedAtMs === undefined) Heartbeat.beatTo(step, nodeId)\n    else if (step.nowMs - agreedAtMs >= step.timing.surplusMs) {",
    "if (agreedAtMs !== undefined || kept !== undefined) {"
  ),
  inProtocol(
    "F10",
    "the older member stays on the connection that it has",
    "Surplus",
    "    Mesh.prefer(step, senderId, id)\n",
    ""
  ),
  inProtocol(
    "F11",
    "a joiner with a member's id is admitted",
    "Joining",
    "    member.nodeId === step.self.nodeId ||\n",
    ""
  ),
  inProtocol(
    "F12",
    "any stranger's view is taken",
    "Inbound",
    `if (!isKnown) return "notMember"\n  const outcome = ViewUpdate`,
    "const outcome = ViewUpdate"
  ),
  inProtocol(
    "F13",
    "the token is not checked",
    "Joining",
    "node.authToken !== undefined && !equalInConstantTime(offered, node.authToken)",
    "node.authToken !== undefined && !equalInConstantTime(offered, offered)"
  ),
  inProtocol(
    "F13",
    "the protocol version is not checked",
    "Joining",
    "if (request.protocolVersion !== protocolVersion) {",
    "if (request.protocolVersion < 0) {"
  ),
  inProtocol(
    "F14",
    "a thawed process takes the gap for the silence of others",
    "AwakeClock",
    "gapMs > 2 * tickIntervalMs ? gapMs - tickIntervalMs : 0",
    "gapMs < 0 ? tickIntervalMs : 0"
  ),
  inProtocol(
    "F19",
    "a node that reaches no seed promotes itself",
    "Founding",
    "? voters.map((voter) => voter.nodeId) : []",
    "? voters.map((voter) => voter.nodeId) : [step.self.nodeId]"
  )
]

/** All of them, those of the data plane last. */
export const mutants: ReadonlyArray<Mutant> = [...membershipMutants, ...dataMutants]

/** The mutant of this process, if its environment names one. */
export const activeMutant = (): Mutant | undefined => {
  const name = process.env[mutantVariable]
  if (name === undefined) return undefined
  const mutant = mutants.find((one) => one.name === name)
  if (mutant === undefined) throw new Error(`no mutant "${name}"`)
  return mutant
}
