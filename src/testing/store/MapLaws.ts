/** The laws of `MapStore`: what the operations of maps do, and what becomes of tombstones. */
import { Effect, Option, Stream } from "effect"
import { maxOperationsPerWrite, maxValueBytes } from "../../domain/data/DataBounds.ts"
import { DigestTree } from "../../domain/data/DigestTree.ts"
import type { Epoch } from "../../domain/data/Epoch.ts"
import type { MapOperation } from "../../domain/data/MapOperation.ts"
import { MapRecord } from "../../domain/data/MapRecord.ts"
import { encodeChunk, encodeDelta } from "../../domain/data/RecordCodec.ts"
import { Timestamp } from "../../domain/data/Timestamp.ts"
import type { MapStoreShape } from "../../services/MapStore.ts"
import type { KeyName } from "../../domain/data/KeyName.ts"
import { expect, expectSame, type Law, type Medium } from "./Law.ts"

const at = (wallMs: number, counter = 0): Timestamp => ({ wallMs, counter, node: "a#1" })
const bytes = (...octets: ReadonlyArray<number>): Uint8Array => Uint8Array.from(octets)
const put = (key: string, octet: number): MapOperation => ({ type: "put", mapName: "m", key, value: bytes(octet) })
const add = (key: string, octet: number): MapOperation => ({ type: "add", mapName: "s", key, value: bytes(octet) })
const register = (key: string): KeyName => ({ mapName: "m", mapType: "lww", key })
const set = (key: string): KeyName => ({ mapName: "s", mapType: "or", key })

const valuesOf = (store: MapStoreShape, key: KeyName) =>
  Effect.map(store.get(1, key), (records) => records.map(({ value }) => value?.[0]).toSorted((a = 0, b = 0) => a - b))

const rootOf = (store: MapStoreShape, partitionId: number) => store.digests(partitionId, [DigestTree.root])

type Check = (store: MapStoreShape) => Effect.Effect<void, unknown>

const checks: Record<string, Check> = {
  "a value is read as it was written, until it is replaced or deleted": (store) =>
    Effect.gen(function* () {
      yield* expectSame(yield* valuesOf(store, register("k")), [], "nothing")
      yield* store.write(1, [put("k", 1)], at(1))
      yield* expectSame(yield* valuesOf(store, register("k")), [1], "the first value")
      yield* store.write(1, [put("k", 2), put("l", 3)], at(2))
      yield* expectSame(yield* valuesOf(store, register("k")), [2], "the second value")
      yield* store.write(1, [{ type: "delete", mapName: "m", key: "k" }], at(3))
      yield* expectSame(yield* valuesOf(store, register("k")), [], "no value")
      yield* expectSame(yield* valuesOf(store, register("l")), [3], "another key's value")
      yield* expectSame(yield* valuesOf(store, { ...register("l"), mapName: "n" }), [], "another map's")
    }),

  "additions are kept, and removals take what they see": (store) =>
    Effect.gen(function* () {
      yield* store.write(1, [add("k", 1), add("k", 2), add("k", 1), add("l", 1)], at(1))
      yield* expectSame(yield* valuesOf(store, set("k")), [1, 2], "both values, once each")
      yield* store.write(1, [{ type: "remove", mapName: "s", key: "k", value: bytes(1) }], at(2))
      yield* expectSame(yield* valuesOf(store, set("k")), [2], "the other value")
      yield* store.write(1, [add("k", 3), { type: "remove", mapName: "s", key: "k" }], at(3))
      yield* expectSame(yield* valuesOf(store, set("k")), [], "no value")
      const nothing = yield* store.write(1, [{ type: "remove", mapName: "s", key: "k" }], at(4))
      yield* expectSame([nothing, yield* valuesOf(store, set("l"))], [[], [1]], "nothing more to change")
    }),

  "a change is stamped after all that its key holds, whatever the clock says": (store) =>
    Effect.gen(function* () {
      yield* store.apply(1, [encodeDelta("m", { type: "lww", key: "k", time: at(10 ** 9), value: bytes(1) })])
      const [change] = yield* store.write(1, [put("k", 2)], at(5))
      const time = change === undefined ? undefined : MapRecord.latest(change.record)
      yield* expectSame(time, at(10 ** 9, 1), "the next time after the replaced one's")
      yield* expectSame(yield* valuesOf(store, register("k")), [2], "the new value")
      const [fresh] = yield* store.write(1, [put("l", 2)], at(5))
      yield* expectSame(fresh?.record, { type: "lww", key: "l", time: at(5), value: bytes(2) }, "the clock's reading")
    }),

  "writes of one key at once are ordered: their stamps all differ": (store) =>
    Effect.gen(function* () {
      const writes = Array.from({ length: 100 }, (_, i) => store.write(1, [put("k", i)], at(7)))
      const changes = (yield* Effect.all(writes, { concurrency: "unbounded" })).flat()
      const times = new Set(changes.map(({ record }) => JSON.stringify(MapRecord.latest(record))))
      yield* expectSame(times.size, 100, "as many stamps as writes")
      const last = changes.reduce((a, b) =>
        Timestamp.compare(MapRecord.latest(a.record), MapRecord.latest(b.record)) > 0 ? a : b
      )
      yield* expectSame(yield* store.get(1, register("k")), [last.record], "the value with the last stamp")
    }),

  "what a write returns makes a replica equal": (store) =>
    Effect.gen(function* () {
      for (let i = 0; i < 50; i++) {
        const operations = [put(`k${i % 7}`, i), add(`k${i % 3}`, i % 5), add("k", 1), put("k", i)]
        const changes = yield* store.write(1, operations, at(i))
        yield* store.apply(
          2,
          changes.map(({ mapName, record }) => encodeDelta(mapName, record))
        )
      }
      yield* expectSame(yield* rootOf(store, 1), yield* rootOf(store, 2), "equal digests")
    }),

  "an invalid operation undoes its whole write": (store) =>
    Effect.gen(function* () {
      yield* store.write(1, [put("k", 1), add("k", 1)], at(1))
      const before = [yield* store.size(1), yield* rootOf(store, 1)]
      const large: MapOperation = { type: "put", mapName: "m", key: "x", value: new Uint8Array(maxValueBytes + 1) }
      const clear: MapOperation = { type: "remove", mapName: "s", key: "k" }
      const tooLarge = yield* Effect.flip(
        store.write(1, [put("k", 2), put("new", 1), put("k", 3), clear, large], at(2))
      )
      yield* expectSame(tooLarge._tag, "InvalidOperation", "a typed error")
      const many = Array.from({ length: maxOperationsPerWrite + 1 }, (_, i) => put(`k${i}`, 1))
      yield* expectSame((yield* Effect.flip(store.write(1, many, at(2))))._tag, "InvalidOperation", "a typed error")
      yield* expectSame([yield* store.size(1), yield* rootOf(store, 1)], before, "nothing to change")
      yield* expectSame(yield* valuesOf(store, register("k")), [1], "the value of before")
    }),

  "all values of a map are met, whatever is written meanwhile": (store) =>
    Effect.gen(function* () {
      for (let i = 0; i < 300; i++) yield* store.write(1, [put(`k${i}`, i), add(`k${i}`, i)], at(1))
      yield* store.write(1, [{ type: "delete", mapName: "m", key: "k0" }], at(2))
      const met = new Set<string>()
      yield* Stream.runForEach(store.iterate(1, "m", "lww"), ({ key }) => {
        met.add(key)
        return met.size < 50 ? store.write(1, [put(`new${met.size}`, 1), put("k1", 9)], at(3)) : Effect.void
      })
      const missed = Array.from({ length: 299 }, (_, i) => `k${i + 1}`).filter((key) => !met.has(key))
      yield* expectSame([missed, met.has("k0")], [[], false], "every value, and no removed one")
    }),

  "what an epoch says is gone does not come back, and is collected where it is": (store) =>
    Effect.gen(function* () {
      const live = (key: string, wallMs: number): MapRecord => ({ type: "lww", key, time: at(wallMs), value: bytes(1) })
      const tombstone = (key: string, wallMs: number): MapRecord => ({ type: "lww", key, time: at(wallMs) })
      const epoch: Epoch = { baseMs: 100, markMs: 200 }
      const records = [
        live("before", 99),
        live("between", 100),
        live("after", 200),
        tombstone("t-before", 99),
        tombstone("t-between", 199),
        tombstone("t-after", 200)
      ]
      const merged = yield* store.merge(1, encodeChunk("m", "lww", records), epoch)
      yield* expectSame([merged.changed, merged.refused], [3, 3], "three of six to be refused")
      yield* expectSame(Option.getOrUndefined(merged.latest), at(200), "the latest time, refused ones included")
      yield* store.merge(1, encodeChunk("m", "lww", [live("known", 150)]))
      const known = yield* store.apply(1, [encodeDelta("m", tombstone("known", 160))], epoch)
      yield* expectSame([known.changed, known.refused], [1, 0], "a newer version of a known record to be taken")

      yield* store.merge(2, encodeChunk("m", "lww", records))
      yield* expectSame(yield* store.collect(2, epoch, { _tag: "tombstones" }), 2, "two old tombstones")
      const keys = Option.some([register("before"), register("t-after"), register("nowhere")])
      yield* expectSame(yield* store.collect(2, epoch, { _tag: "gone", keys }), 0, "nothing of what is known")
      yield* expectSame(yield* store.collect(2, epoch, { _tag: "gone", keys: Option.none() }), 1, "one removed record")
      yield* store.collect(1, { baseMs: 0, markMs: 161 }, { _tag: "tombstones" })
      yield* expectSame(yield* rootOf(store, 1), yield* rootOf(store, 2), "both to hold the same")
      yield* expect((yield* store.size(2)).records === 3, "three records", () => "another number")
    })
}

/** All of them; `media` gives each a new medium with nothing on it. */
export const mapLaws = <E>(media: Effect.Effect<Medium<MapStoreShape, E>, E>): ReadonlyArray<Law<unknown>> =>
  Object.entries(checks).map(([name, check]) => ({
    name,
    check: Effect.flatMap(media, ({ open }) => Effect.scoped(Effect.flatMap(open, check)))
  }))
