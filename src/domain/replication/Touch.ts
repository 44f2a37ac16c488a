/**
 * When the data of a partition was last that of a replica, and in which history. Marks say what is gone only of what
 * their owners have known: the other part of a split, or another cluster, has written what they never heard of, and
 * that is merged, however old. So whoever hands data over says how long ago it parted from the history of the owner.
 */
import type { ViewHistory, ViewParent } from "../wire/Extensions.ts"
import { relate } from "../protocol/ClusterView.ts"
import type { Touch } from "./DataMessage.ts"
import type { DataState, PartitionData } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import { isRelated, type Sight } from "./Sight.ts"

/** Views that a process remembers having been a member of; before, it counts as never having been of one history. */
const maxMemberships = 64

/** Earlier lineages that are told with data: a note has little room. */
const maxToldAncestors = 8

/** Histories before the present one of which a partition remembers its last touch. */
const maxTouches = 8

export const historyOf = ({ ancestors, lineage, version }: ViewHistory): ViewHistory => ({
  lineage,
  version,
  ancestors: ancestors.slice(0, maxToldAncestors)
})

/** This copy is one that counts, as of now. */
export const touch = (step: DataStep, partition: PartitionData): void => {
  const { syncedAtMs, syncedIn, touches } = partition
  const { view } = step.sight
  if (syncedIn !== undefined && syncedIn.lineage !== view?.lineage) {
    touches.push({ lineage: syncedIn.lineage, version: syncedIn.version, atMs: syncedAtMs })
    if (touches.length > maxTouches) touches.shift()
  }
  partition.syncedAtMs = step.nowMs
  partition.syncedIn = view
}

/** Milliseconds since then. */
export const ageOf = (step: DataStep, { syncedAtMs }: PartitionData): number =>
  Math.max(0, Math.ceil(step.nowMs - syncedAtMs))

const isOf = (sight: Sight, { lineage, version }: ViewParent): boolean =>
  isRelated(sight, { lineage, viewVersion: version, tableVersion: 0 })

/** The view is another one: when was the one before left? */
export const seen = (state: DataState, before: Sight, after: Sight, nowMs: number): void => {
  const { view } = before
  if (view === undefined || (after.view?.lineage === view.lineage && after.view.version === view.version)) return
  const { lineage, version } = view
  state.memberships.push({ lineage, version, leftAtMs: nowMs })
  if (state.memberships.length > maxMemberships) state.memberships.shift()
}

/** What is to be said of data that is handed over in the present view. */
export const touchOf = (step: DataStep, partition: PartitionData): Touch => {
  const { syncedIn } = partition
  const ageMs = ageOf(step, partition)
  if (syncedIn === undefined) return { ageMs, commonMs: ageMs }
  const history = historyOf(syncedIn)
  if (isOf(step.sight, syncedIn)) return { history, ageMs, commonMs: ageMs }
  const partedAtMs = partedAt(step, partition)
  if (partedAtMs === undefined) return { history, ageMs }
  return { history, ageMs, commonMs: Math.max(ageMs, Math.ceil(step.nowMs - partedAtMs)) }
}

/**
 * Until when the data has been one with that of the present history. Somebody who was cut off stays in their last view
 * for a while, and writes what nobody else hears of: so it is not when the view was left, but the last touch in it.
 */
const partedAt = (step: DataStep, { syncedAtMs, touches }: PartitionData): number | undefined => {
  const left = step.state.memberships.findLast((one) => one.leftAtMs <= syncedAtMs && isOf(step.sight, one))
  const touched = touches.findLast(
    (one) =>
      (left === undefined || (one.atMs <= left.leftAtMs && one.lineage === left.lineage)) && isOf(step.sight, one)
  )
  return touched?.atMs ?? left?.leftAtMs
}

/** The epoch of the partition is from the present history. */
export const isNowOfPresent = (partition: PartitionData): void => {
  partition.epochIn = undefined
  partition.epochPartedMs = Number.POSITIVE_INFINITY
}

/** The process has left the history that its epochs are from. */
export const isNowOfPast = (partition: PartitionData, view: ViewHistory): void => {
  const { epoch, epochIn } = partition
  if (epochIn !== undefined || (epoch.baseMs === 0 && epoch.markMs === 0)) return
  partition.epochIn = historyOf(view)
  partition.epochInMarkMs = epoch.markMs
}

/** When the history of data, and of an epoch that came with it, parted from the present one. −∞: they never were one. */
export const partedMs = (step: DataStep, told: Touch): number =>
  isOfPresent(told) ? Number.POSITIVE_INFINITY : step.nowMs - (told.commonMs ?? Number.POSITIVE_INFINITY)

/** Has the data been one with that of the owner's present history until it was out of touch? */
export const isOfPresent = ({ ageMs, commonMs }: Touch): boolean => commonMs !== undefined && commonMs <= ageMs

/** The same, or with that of the history which the owner's epoch is from. */
export const isOfOneHistory = (told: Touch, { epochIn }: PartitionData): boolean =>
  isOfPresent(told) ||
  (told.history !== undefined && epochIn !== undefined && relate(epochIn, told.history) !== "foreign")
