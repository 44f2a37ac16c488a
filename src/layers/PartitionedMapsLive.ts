/** The maps over the data plane of a node. */
import { Effect, Layer, Option, Stream } from "effect"
import { sameBytes } from "../domain/data/MapRecord.ts"
import { decodeDelta } from "../domain/data/RecordCodec.ts"
import type { MapRecord } from "../domain/data/MapRecord.ts"
import type { ScanCursor } from "../domain/replication/DataMessage.ts"
import { ClusterDriver } from "../services/ClusterDriver.ts"
import { ClusterPartitionService } from "../services/ClusterPartitionService.ts"
import { PartitionUnavailable, type UndecodableValue } from "../services/MapErrors.ts"
import { PartitionData } from "../services/PartitionData.ts"
import {
  type BytesValues,
  type ChangesOptions,
  type LwwChange,
  type LwwMap,
  type MapOptions,
  type OrChange,
  type OrMap,
  PartitionedMaps,
  type ReadError,
  type ReadOptions,
  type StringKeys,
  type TypedKeys,
  type TypedValues
} from "../services/PartitionedMaps.ts"
import * as MapAccess from "./maps/MapAccess.ts"
import * as ValueCodec from "../domain/codec/ValueCodec.ts"

/** How often the scan of one partition begins anew, because its owner has changed, before it is given up. */
const maxRestarts = 16

const isPresent = (value: Uint8Array | undefined): value is Uint8Array => value !== undefined

const scan = <K, V>(
  access: MapAccess.MapAccess<K, V>,
  partitionId: number,
  options: ReadOptions | undefined
): Stream.Stream<readonly [K, V], ReadError | UndecodableValue> => {
  interface Place {
    readonly cursor: ScanCursor | undefined
    readonly restarts: number
  }
  const start: Place = { cursor: undefined, restarts: 0 }
  return Stream.paginate(start, ({ cursor, restarts }) =>
    Effect.gen(function* () {
      const page = yield* access.page(partitionId, cursor, options)
      if (Option.isNone(page)) {
        if (restarts < maxRestarts) {
          return [[], Option.some<Place>({ cursor: undefined, restarts: restarts + 1 })] as const
        }
        const detail = `its owner has changed ${maxRestarts} times while it was read`
        return yield* new PartitionUnavailable({ partitionId, detail })
      }
      const entries = yield* Effect.forEach(
        page.value.records.filter((record) => record.value !== undefined),
        ({ key, value }) => access.entry(key, value ?? new Uint8Array())
      )
      const next = page.value.cursor
      const following: Option.Option<Place> =
        next === undefined ? Option.none() : Option.some({ cursor: next, restarts })
      return [entries, following] as const
    })
  )
}

const entries =
  <K, V>(access: MapAccess.MapAccess<K, V>, partitionCount: number): LwwMap<V, K>["entries"] =>
  (partitionId, options) =>
    partitionId === undefined
      ? Stream.range(0, partitionCount - 1).pipe(Stream.flatMap((id) => scan(access, id, options)))
      : scan(access, partitionId, options)

/** The records of a map, as they change here. */
const records = <K, V>(
  data: PartitionData["Service"],
  { mapName, mapType }: MapAccess.MapAccess<K, V>,
  { of = "owned" }: ChangesOptions
): Stream.Stream<readonly [partitionId: number, record: MapRecord]> =>
  data.changes.pipe(
    Stream.filter(({ isOwner }) => of === "held" || isOwner),
    Stream.mapEffect(({ deltas, partitionId }) =>
      Effect.map(
        // The store has just encoded them.
        Effect.orDie(
          Effect.forEach(
            deltas.filter((delta) => delta.mapName === mapName),
            (delta) => Effect.fromResult(decodeDelta(delta))
          )
        ),
        (decoded) => decoded.filter(({ type }) => type === mapType).map((record) => [partitionId, record] as const)
      )
    ),
    Stream.flattenIterable
  )

const lwwOf = <K, V>(
  around: MapAccess.Surroundings,
  options: MapOptions,
  values: ValueCodec.ValueCodec<V>,
  keys: ValueCodec.KeyCodec<K>
): LwwMap<V, K> => {
  const access = MapAccess.make(around, "lww", values, options, keys)
  const { keyOf, mapName, valueBytes } = access
  return {
    name: mapName,
    get: (key, given) =>
      Effect.suspend(() => {
        const text = keyOf(key)
        return Effect.flatMap(access.get(text, given), ([record]) =>
          record?.value === undefined ? Effect.succeedNone : Effect.asSome(access.value(text, record.value))
        )
      }),
    put: (key, value, given) =>
      Effect.suspend(() => access.write({ type: "put", mapName, key: keyOf(key), value: valueBytes(value) }, given)),
    remove: (key, given) => Effect.suspend(() => access.write({ type: "delete", mapName, key: keyOf(key) }, given)),
    entries: entries(access, around.partitionCount),
    changes: (given = {}) =>
      records(around.data, access, given).pipe(
        Stream.mapEffect(([partitionId, { key: text, value }]): Effect.Effect<LwwChange<V, K>, UndecodableValue> =>
          value === undefined
            ? Effect.map(access.key(text), (key) => ({ _tag: "Removed", partitionId, key }))
            : Effect.map(access.entry(text, value), ([key, v]) => ({ _tag: "Put", partitionId, key, value: v }))
        )
      )
  }
}

const orOf = <K, V>(
  around: MapAccess.Surroundings,
  options: MapOptions,
  values: ValueCodec.ValueCodec<V>,
  keys: ValueCodec.KeyCodec<K>
): OrMap<V, K> => {
  const access = MapAccess.make(around, "or", values, options, keys)
  const { keyOf, mapName, valueBytes } = access
  return {
    name: mapName,
    get: (key, given) =>
      Effect.suspend(() => {
        const text = keyOf(key)
        return Effect.flatMap(access.get(text, given), (found) => {
          const stored = found.map(({ value }) => value).filter(isPresent)
          // Added on both sides of a split, a value has two tags.
          const each = stored.filter((value, at) => stored.findIndex((one) => sameBytes(one, value)) === at)
          return Effect.forEach(each, (value) => access.value(text, value))
        })
      }),
    add: (key, value, given) =>
      Effect.suspend(() => access.write({ type: "add", mapName, key: keyOf(key), value: valueBytes(value) }, given)),
    remove: (key, value, given) =>
      Effect.suspend(() => access.write({ type: "remove", mapName, key: keyOf(key), value: valueBytes(value) }, given)),
    removeAll: (key, given) => Effect.suspend(() => access.write({ type: "remove", mapName, key: keyOf(key) }, given)),
    entries: entries(access, around.partitionCount),
    changes: (given = {}) =>
      records(around.data, access, given).pipe(
        Stream.mapEffect(([partitionId, { key: text, value }]): Effect.Effect<OrChange<V, K>, UndecodableValue> =>
          value === undefined
            ? Effect.map(access.key(text), (key) => ({ _tag: "Removed", partitionId, key }))
            : Effect.map(access.entry(text, value), ([key, v]) => ({ _tag: "Added", partitionId, key, value: v }))
        )
      )
  }
}

type AnyOptions = MapOptions & (TypedValues<unknown> | BytesValues) & (TypedKeys<unknown> | StringKeys)

/** The maps of the node whose data plane is given. */
export const layer: Layer.Layer<PartitionedMaps, never, PartitionData | ClusterDriver | ClusterPartitionService> =
  Layer.effect(
    PartitionedMaps,
    Effect.gen(function* () {
      const data = yield* PartitionData
      const { getPartitionMap: partitionMap } = yield* ClusterPartitionService
      const { node } = yield* (yield* ClusterDriver).state
      const around = { data, partitionCount: node.partitionCount, partitionMap }

      function lww<V, K>(options: MapOptions & TypedValues<V> & TypedKeys<K>): LwwMap<V, K>
      function lww<V>(options: MapOptions & TypedValues<V> & StringKeys): LwwMap<V>
      function lww<K>(options: MapOptions & BytesValues & TypedKeys<K>): LwwMap<Uint8Array, K>
      function lww(options: MapOptions & BytesValues & StringKeys): LwwMap<Uint8Array>
      function lww(options: AnyOptions): unknown {
        const withKeys = <V>(values: ValueCodec.ValueCodec<V>) =>
          options.key === undefined
            ? lwwOf(around, options, values, ValueCodec.text)
            : lwwOf(around, options, values, ValueCodec.keyOfSchema(options.key))
        return options.value === "bytes" ? withKeys(ValueCodec.bytes) : withKeys(ValueCodec.ofSchema(options.value))
      }
      function or<V, K>(options: MapOptions & TypedValues<V> & TypedKeys<K>): OrMap<V, K>
      function or<V>(options: MapOptions & TypedValues<V> & StringKeys): OrMap<V>
      function or<K>(options: MapOptions & BytesValues & TypedKeys<K>): OrMap<Uint8Array, K>
      function or(options: MapOptions & BytesValues & StringKeys): OrMap<Uint8Array>
      function or(options: AnyOptions): unknown {
        const withKeys = <V>(values: ValueCodec.ValueCodec<V>) =>
          options.key === undefined
            ? orOf(around, options, values, ValueCodec.text)
            : orOf(around, options, values, ValueCodec.keyOfSchema(options.key))
        return options.value === "bytes" ? withKeys(ValueCodec.bytes) : withKeys(ValueCodec.ofSchema(options.value))
      }
      return PartitionedMaps.of({ lww, or })
    })
  )
