/**
 * The data plane of a node over whatever store it is given. Provide it to the node's driver: a node with it says that it
 * keeps data, and its partitions are copied before they change hands.
 */
import { Context, Effect, Layer, PubSub, Stream } from "effect"
import type { DataSettings } from "../domain/replication/DataSettings.ts"
import { bytesOf } from "../domain/replication/DataMessage.ts"
import type { DataState } from "../domain/replication/DataState.ts"
import { isReplica } from "../domain/replication/Authority.ts"
import { DataStep } from "../domain/replication/DataStep.ts"
import { MapStore } from "../services/MapStore.ts"
import {
  type AppliedChange,
  type CopyStatus,
  type DataStatus,
  maxBufferedApplied,
  PartitionData
} from "../services/PartitionData.ts"
import { Transport } from "../services/Transport.ts"
import * as Plane from "./data/Plane.ts"
import { DataPlaneHook } from "./driver/DataPlaneHook.ts"

export interface Options {
  /** What differs from `defaultDataSettings`. */
  readonly settings?: Partial<DataSettings>
}

const idle: DataStatus = {
  requests: 0,
  pendingWrites: 0,
  pendingBytes: 0,
  storeRequests: 0,
  copyBytes: 0,
  sendingBytes: 0,
  copies: [],
  strays: [],
  recovering: []
}

const statusOf = (state: DataState, sendingBytes: number, nowMs: number): DataStatus => {
  const copies: Array<CopyStatus> = []
  const strays: Array<number> = []
  const step = new DataStep(state, nowMs, 0)
  let pendingWrites = 0
  let { copyBytes } = state
  for (const { copyOut, hasData, id, pending } of state.partitions.values()) {
    pendingWrites += pending.size
    if (hasData && !isReplica(step, id)) strays.push(id)
    if (copyOut === undefined) continue
    const { bytes, destination, phase, sent: chunks, startedAtMs } = copyOut
    copyBytes += copyOut.deltaBytes + bytesOf({ chunks: copyOut.chunks, deltas: [] })
    const elapsedMs = Math.max(0, nowMs - startedAtMs)
    const bytesPerSecond = elapsedMs === 0 ? 0 : (bytes * 1000) / elapsedMs
    const isReady = phase === "ready"
    copies.push({ partitionId: id, destination, chunks, bytes, elapsedMs, bytesPerSecond, isReady })
  }
  return {
    requests: state.requests.size,
    pendingWrites,
    pendingBytes: state.pendingBytes,
    storeRequests: state.awaited.size,
    copyBytes,
    sendingBytes,
    copies,
    strays,
    recovering: [...state.recovering.keys()]
  }
}

/** The data plane, for the driver that is built on it. */
export const layer = (options: Options = {}): Layer.Layer<PartitionData, never, MapStore | Transport> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const store = yield* MapStore
      const transport = yield* Transport
      const applied = yield* PubSub.sliding<AppliedChange>(maxBufferedApplied)
      yield* Effect.addFinalizer(() => PubSub.shutdown(applied))
      let watchers = 0
      const owns = (partitionId: number) => {
        const sight = plane.read()?.sight
        return sight?.table.rows[partitionId]?.owner === sight?.self.nodeId
      }
      const plane = Plane.make({
        settings: options.settings ?? {},
        transport,
        access: {
          store,
          readings: new Map(),
          scans: new Map(),
          isWatched: () => watchers > 0,
          changed: (partitionId, deltas) =>
            Effect.asVoid(PubSub.publish(applied, { partitionId, isOwner: owns(partitionId), deltas }))
        }
      })
      const changes = Stream.unwrap(
        Effect.gen(function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => watchers++),
            () => Effect.sync(() => watchers--)
          )
          return Stream.fromSubscription(yield* PubSub.subscribe(applied))
        })
      )
      const status = Effect.clockWith((clock) =>
        Effect.sync(() => {
          const state = plane.read()
          const nowMs = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
          return state === undefined ? idle : statusOf(state, plane.sendingBytes(), nowMs)
        })
      )
      return Context.make(PartitionData, { ask: plane.ask, changes, status }).pipe(
        Context.add(DataPlaneHook, plane.hook)
      )
    })
  )
