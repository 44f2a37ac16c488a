/** Mutants of the data plane: `D` and the number of the rule of data that each breaks. */
import type { Mutant } from "./Mutant.ts"

const mutant =
  (folder: "replication" | "protocol") =>
  (rule: string, name: string, file: string, find: string, replace: string, equivalent?: string): Mutant => ({
    rule: `D${rule}`,
    name,
    file: `${folder}/${file}.ts`,
    find,
    replace,
    ...(equivalent === undefined ? {} : { equivalent })
  })
const inReplication = mutant("replication")
const inProtocol = mutant("protocol")

export const dataMutants: ReadonlyArray<Mutant> = [
  inReplication(
    "1",
    "a process acts on a table that means the one before it",
    "Sight",
    "memberAs(view, self) !== undefined && isHolder(custody, self)",
    "memberOf(view, self.nodeId) !== undefined && custody.holders.some(({ nodeId }) => nodeId === self.nodeId)"
  ),
  inReplication(
    "1",
    "versions are compared across lineages",
    "Sight",
    'view !== undefined && relate(view, { lineage, version: viewVersion }) !== "foreign"',
    "view !== undefined && lineage !== undefined && viewVersion >= 0"
  ),
  inReplication(
    "2",
    "the timestamp's node is the id alone",
    "DataStep",
    "Timestamp.nodeOf(nodeId, incarnation)",
    "Timestamp.nodeOf(nodeId, incarnation === 0 ? 1 : 0)"
  ),
  inReplication(
    "3",
    "an acknowledgement does not wait for a destination that is ready",
    "Authority",
    'const ready = partition.copyOut?.phase === "ready" ? partition.copyOut : undefined',
    'const ready = partition.copyOut?.phase === "ready" && partition.id < 0 ? partition.copyOut : undefined'
  ),
  inReplication(
    "3",
    "one replica is enough",
    "Owner",
    "for (const holder of needed) if (!includes(write.acked, holder)) return",
    "if (needed.length > 0 && write.acked.length === 0) return"
  ),
  inReplication(
    "3",
    "pending writes are not judged by the new set",
    "Owner",
    "if (isOwner(step, partition.id) && isSame && !partition.wasSuspended) return",
    "if (isOwner(step, partition.id)) return"
  ),
  inReplication(
    "4",
    "a replica accepts from whoever is not the owner",
    "Authority",
    "if (rowOf(step, partition.id)?.owner !== from || holderOf(step, from) !== memberIncarnation(step.sight, from)) {",
    "if (holderOf(step, from) !== memberIncarnation(step.sight, from)) {"
  ),
  inReplication(
    "4",
    "a node that is no replica accepts",
    "Authority",
    "return isReplica(step, partition.id) || partition.copyIn?.source === from || partition.readied?.source === from",
    "return true"
  ),
  inReplication(
    "5",
    "who takes records from a newer owner goes on acting",
    "Authority",
    "if (stamp.tableVersion > step.tableVersion) {\n    partition.suspendedTo",
    "if (stamp.tableVersion > step.tableVersion + 1e15) {\n    partition.suspendedTo"
  ),
  inReplication(
    "6",
    "a former owner leaves its writes unanswered",
    "Owner",
    'answer(step, purpose.replyTo, { type: "stale", deltas: write.content.deltas })',
    "answer(step, purpose.replyTo, doneAt(purpose.latest))"
  ),
  inReplication(
    "7",
    "a request is sent again when its connection ends",
    "Origin",
    "else if (isRead(request.work)) {\n      request.sent = undefined\n      request.retryAtMs",
    "else if (request.id > 0) {\n      request.sent = undefined\n      request.retryAtMs"
  ),
  inReplication(
    "7",
    "a write is given up although another connection is left",
    "Origin",
    "isRead(request.work) ? links.includes(sent.connection) : links.length > 0",
    "links.includes(sent.connection)"
  ),
  inReplication(
    "7",
    "who is out of its own view asks others",
    "Origin",
    "owner === undefined || !isOwnMember(step.sight)",
    "owner === undefined"
  ),
  inProtocol(
    "7",
    "what a joiner asks is dropped while it is no member here",
    "Inbound",
    "if (!isMember && !isAnswered)",
    "if (!isMember)"
  ),
  inProtocol(
    "8",
    "a row lists a destination before its copy",
    "Migrating",
    'if (next._tag === "Copy" && isCopied(joined, row.owner, next.destination)) break',
    'if (next._tag === "Copy" && isCopied(joined, row.owner, next.destination) && row.backups.length > 0) break'
  ),
  inReplication(
    "8",
    "whoever is asked is the source of a copy",
    "CopyOut",
    'if (!acts(step, partition)) return "notOwner"',
    'if (step.tableVersion < 0) return "notOwner"'
  ),
  inReplication(
    "8",
    "a destination takes a copy from anyone",
    "CopyIn",
    'if (step.tableVersion >= plannedAt && rowOf(step, partitionId)?.owner !== from) return "notOwner"',
    'if (step.tableVersion < 0) return "notOwner"'
  ),
  inReplication(
    "9",
    "a copy starts by an older table than its plan's",
    "CopyOut",
    "if (step.tableVersion < plannedAt) return",
    "if (step.tableVersion < 0) return"
  ),
  inReplication(
    "10",
    "changes during a copy are not sent behind it",
    "CopyOut",
    'if (copy?.phase !== "copy") return\n  copy.deltas.push(content)',
    'if (copy?.phase !== "copy" || !copy.isRead) return\n  copy.deltas.push(content)'
  ),
  inReplication(
    "11",
    "the end of a stream is believed with parts missing",
    "CopyIn",
    "if (message.chunks !== copy.next) {",
    "if (copy.next === 0) {"
  ),
  inReplication(
    "11",
    "a destination says that it is ready before its store has merged everything",
    "CopyIn",
    "if (!copy.isEnded || copy.merging > 0) return",
    "if (!copy.isEnded) return"
  ),
  inReplication(
    "12",
    "a source gives up after it is ready",
    "CopyOut",
    'if (copy.phase === "ready") return\n  const { links',
    "const { links"
  ),
  inProtocol(
    "13",
    "a migration is committed whoever owns the partition now",
    "Migrating",
    "if (row?.owner !== source) return `${source} does not own the partition any more`",
    "if (row === undefined) return `${source} does not own the partition any more`"
  ),
  inProtocol(
    "13",
    "the source's word is enough",
    "Migrating",
    'if (from !== migration.destination) return "wrongSender"',
    'if (from === "") return "wrongSender"',
    "the source's READY goes to the destination; nobody else tells the master of an id"
  ),
  inReplication(
    "14",
    "a cancel counts before its table has come",
    "DataPlane",
    "if (step.tableVersion < (message.tableVersion ?? 0)) return",
    "if (message.tableVersion === -1) return"
  ),
  inProtocol(
    "14",
    "who asks about a closed migration is not answered",
    "Migrating",
    'tell(step, to, cancelOf(joined, { id, partitionId }, "it is not open"))',
    'if (id === "") tell(step, to, cancelOf(joined, { id, partitionId }, "it is not open"))'
  ),
  inReplication(
    "17",
    "data that is not listed is dropped without being offered",
    "Strays",
    "return result.records === 0 ? finish(step, partition, session) : read(step, partition, session)",
    "return finish(step, partition, session)"
  ),
  inReplication(
    "17",
    "an offer is confirmed before the backups hold it",
    "Owner",
    "  Recovering.received(step, partition)\n  const deadlineMs",
    "  Recovering.received(step, partition)\n  confirm(step, nodeId, incarnation, { partitionId, batch, accepted: true })\n  const deadlineMs"
  ),
  inReplication(
    "17",
    "strays are not handed over",
    "Strays",
    "if (!state.isOpened || !isMember || isBusy || !isStray(step, partition)) {",
    "if (state.lastId >= 0 || !isMember || isBusy || !isStray(step, partition)) {"
  ),
  inReplication(
    "17",
    "what an owner has from a repair alone is no data",
    "Repair",
    "step.takes(partition)\n    const request",
    "partition.storing++\n    const request"
  ),
  inProtocol(
    "18",
    "who comes back as another process keeps its slots",
    "MigrationBasis",
    "if (now !== undefined && incarnationOf(now) !== incarnation) replaced.add(nodeId)",
    "if (now === undefined && incarnation < 0) replaced.add(nodeId)"
  ),
  inReplication(
    "19",
    "a partition without survivors is open at once",
    "Owner",
    'if (isRecovering(step, partition.id)) return "recovering"',
    'if (isRecovering(step, -1)) return "recovering"'
  ),
  inReplication(
    "19",
    "nobody is waited for",
    "Recovering",
    "return awaited.size === 0\n",
    "return awaited.size >= 0\n"
  ),
  inReplication(
    "21",
    "the owner forgets tombstones by age alone",
    "Tombstones",
    "if (steadyMs < tombstoneHorizonMs || partition.copyOut !== undefined) return 0",
    "if (step.nowMs < 0) return 0"
  ),
  inReplication(
    "22",
    "records that the owner has forgotten are taken back",
    "Owner",
    "const epoch = isWorth ? undefined : Tombstones",
    "const epoch = isWorth || partitionId >= 0 ? undefined : Tombstones"
  ),
  inReplication(
    "22",
    "what the other part of a split has written counts as forgotten",
    "Tombstones",
    "if (isOfPresent(told)) return {",
    "if (told.ageMs >= 0) return {"
  ),
  inReplication(
    "21",
    "a clock that jumps ahead makes tombstones old",
    "Tombstones",
    "Math.min(step.wallMs, partition.steadyWallMs + steadyMs)",
    "step.wallMs"
  ),
  inReplication(
    "22",
    "histories part when the view is left, not at the last touch",
    "Touch",
    "return touched?.atMs ?? left?.leftAtMs",
    "return left?.leftAtMs ?? touched?.atMs"
  ),
  inReplication(
    "22",
    "an owner that recovers counts as in touch",
    "Owner",
    "if (!isRecovering(step, partition.id)) touch(step, partition)",
    "touch(step, partition)"
  ),
  inReplication(
    "22",
    "marks that a process brings along count for what was written here",
    "DataPlane",
    "if (before.view !== undefined) Touch",
    "if (before.view === undefined) Touch"
  ),
  inReplication(
    "22",
    "half of what is handed over is told as all there is",
    "DataPlane",
    "if (!isRecovering(step, partition.id) || !owns) Tombstones.breakOff(step, partition)",
    "if (partition.id < 0) Tombstones.breakOff(step, partition)"
  ),
  inReplication(
    "22",
    "what a store has noted is not read back",
    "DataPlane",
    "Tombstones.restore(step, partition, note)",
    "if (partitionId < 0) Tombstones.restore(step, partition, note)"
  ),
  inReplication(
    "22",
    "a replica keeps records of a key that its owner has forgotten",
    "Repair",
    "if (partition.epoch.markMs > 0) {\n    const request",
    "if (partition.epoch.markMs < 0) {\n    const request"
  ),
  inReplication(
    "23",
    "what was out of touch for too long is merged",
    "Tombstones",
    "return told.ageMs > staleShare",
    "return markMs < 0 && told.ageMs > staleShare"
  ),
  inReplication(
    "23",
    "data of which as much is forgotten counts as too old",
    "Tombstones",
    "if (known.markMs >= markMs) return false",
    "if (markMs === 0) return false"
  ),
  inReplication(
    "23",
    "what the owner has refused as too old comes back with a copy",
    "CopyIn",
    "partition.isSetAside ? { baseMs: 0, markMs: epoch.markMs } : epoch",
    "epoch"
  ),
  inReplication(
    "23",
    "a copy is taken in beside what its owner waits for",
    "CopyIn",
    "(epoch.markMs > 0 || isRecovering(step, partition.id))",
    "epoch.markMs > 0"
  ),
  inReplication(
    "23",
    "who is promoted has been out of touch for as long as before",
    "DataPlane",
    "if (owns && (!partition.wasOwner || partition.recovery !== undefined)) Touch",
    "if (owns && partition.recovery !== undefined) Touch"
  ),
  inReplication(
    "23",
    "what a lone owner writes first is as old as its empty partition",
    "Owner",
    "if (!partition.hasData) touch",
    "if (!partition.hasData && isRecovering(step, partition.id)) touch"
  ),
  inReplication(
    "19",
    "who drops out of a founding has had no complete copy",
    "DataPlane",
    "const isComplete = (step.state.recovering.get(partition.id) ?? []).length === 0",
    "const isComplete = !step.state.recovering.has(partition.id)"
  )
]
