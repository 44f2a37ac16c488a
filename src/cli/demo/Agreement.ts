/**
 * When the demo calls a cluster settled, and what is missing until then, in words. The judgement uses
 * only what the nodes themselves report.
 */
import { Option } from "effect"
import type { NodeId } from "../../domain/model/Scalars.ts"
import { NodeReport } from "../NodeReport.ts"
import { spread } from "./Movement.ts"

export type Reports = ReadonlyMap<NodeId, NodeReport>

export interface Expected {
  /** The nodes that run, in any order. */
  readonly live: ReadonlyArray<NodeId>
  readonly partitionCount: number
  readonly backupCount: number
}

const reportsOf = (reports: Reports, live: ReadonlyArray<NodeId>): ReadonlyArray<NodeReport> =>
  live.flatMap((nodeId) => reports.get(nodeId) ?? [])

/** Nodes of `live` that have reported nothing yet. */
const silent = (reports: Reports, live: ReadonlyArray<NodeId>): ReadonlyArray<string> =>
  live.flatMap((nodeId) => (reports.has(nodeId) ? [] : [`${nodeId} has reported nothing yet`]))

// What is wrong with one node's view of who is there.
const membershipFaults = (report: NodeReport, live: ReadonlyArray<NodeId>): ReadonlyArray<string> => {
  const { members, version } = report.view
  if (version === 0) return [`${report.nodeId} is in no cluster yet`]
  const missing = live.flatMap((nodeId) => {
    const member = members.find((member) => member.nodeId === nodeId)
    if (member === undefined) return [`${report.nodeId} does not list ${nodeId}`]
    return member.state === "active" ? [] : [`${report.nodeId} lists ${nodeId} as ${member.state}`]
  })
  // A dead member stays listed as such for a while.
  const extra = members.filter((member) => !live.includes(member.nodeId) && member.state !== "dead")
  return [...missing, ...extra.map(({ nodeId, state }) => `${report.nodeId} still lists ${nodeId} (${state})`)]
}

/** Faults of ownership in one node's table: partitions without owner or owned by a node that is not `live`. */
const ownerFaults = (report: NodeReport, expected: Expected): ReadonlyArray<string> => {
  const { live, partitionCount } = expected
  if (report.owners.length !== partitionCount) {
    return [`${report.nodeId} has a table of ${report.owners.length} partitions, not ${partitionCount}`]
  }
  const rows = NodeReport.placement(report)
  const unowned = rows.filter((row) => row === undefined).length
  const astray = rows.filter((row) => row !== undefined && !live.includes(row.owner)).length
  return [
    ...(unowned > 0 ? [`at ${report.nodeId} ${unowned} partitions have no owner`] : []),
    ...(astray > 0 ? [`at ${report.nodeId} ${astray} partitions are owned by a node that is gone`] : [])
  ]
}

const backupFaults = (report: NodeReport, { live, backupCount }: Expected): ReadonlyArray<string> => {
  const wanted = Math.min(backupCount, live.length - 1)
  const short = NodeReport.placement(report).filter((row) => {
    if (row === undefined || row.backups.length !== wanted) return true
    return !row.backups.every(
      (backup, at) => live.includes(backup) && backup !== row.owner && row.backups.indexOf(backup) === at
    )
  }).length
  return short === 0 ? [] : [`at ${report.nodeId} ${short} partitions do not have ${wanted} living backups`]
}

const describeMaster = (report: NodeReport): string => Option.getOrElse(report.masterId, () => "nobody")

const properties: ReadonlyArray<readonly [what: string, of: (report: NodeReport) => string]> = [
  ["view", (report) => String(report.view.version)],
  ["master", describeMaster],
  ["table", (report) => String(report.tableVersion)]
]

// Every pair agrees if each agrees with the first.
const disagreements = (reports: ReadonlyArray<NodeReport>): ReadonlyArray<string> => {
  const [first, ...others] = reports
  if (first === undefined) return []
  return properties.flatMap(([what, of]) =>
    others
      .filter((other) => of(other) !== of(first))
      .map((other) => `${first.nodeId} has ${what} ${of(first)}, ${other.nodeId} ${of(other)}`)
  )
}

const masterFaults = (reports: ReadonlyArray<NodeReport>, live: ReadonlyArray<NodeId>): ReadonlyArray<string> =>
  reports.flatMap((report) =>
    Option.exists(report.masterId, (masterId) => live.includes(masterId))
      ? []
      : [`${report.nodeId} takes ${describeMaster(report)} for the master`]
  )

/**
 * What keeps these nodes from being one settled cluster; nothing when all of them list exactly each
 * other as active (and nobody else, unless as dead), agree on view, master and table, and every partition has a living owner and its full
 * number of living backups, with owned partitions spread as evenly as they can be.
 */
export const unsettled = (reports: Reports, expected: Expected): ReadonlyArray<string> => {
  const { live } = expected
  const heard = reportsOf(reports, live)
  const faults = [
    ...silent(reports, live),
    ...heard.flatMap((report) => membershipFaults(report, live)),
    ...masterFaults(heard, live),
    ...heard.flatMap((report) => [...ownerFaults(report, expected), ...backupFaults(report, expected)]),
    ...disagreements(heard)
  ]
  const table = heard[0]
  if (faults.length > 0 || table === undefined) return faults
  const uneven = spread(NodeReport.placement(table), live)
  return uneven <= 1 ? [] : [`owned partitions differ by ${uneven} between nodes`]
}

/** What keeps the survivors' tables from naming a living owner for every partition; nothing when all do. */
export const unpromoted = (reports: Reports, expected: Expected): ReadonlyArray<string> => [
  ...silent(reports, expected.live),
  ...reportsOf(reports, expected.live).flatMap((report) => ownerFaults(report, expected))
]

/** The master that all of these nodes name, if they name the same. */
export const commonMaster = (reports: Reports, live: ReadonlyArray<NodeId>): Option.Option<NodeId> => {
  const named = new Set(reportsOf(reports, live).map((report) => Option.getOrElse(report.masterId, () => "")))
  const [master] = named
  return named.size === 1 && master !== undefined && master !== "" ? Option.some(master) : Option.none()
}
