/**
 * The laws of `PartitionStore`, for a store of your own: each is a name and an effect that fails when the store
 * breaks it.
 *
 * **When to use.** In the specs of a store, with any runner:
 *
 * ```ts
 * for (const law of PartitionStoreLaws.laws({ media: Effect.succeed({ open: MyStore.make }) })) {
 *   it.effect(law.name, () => law.check)
 * }
 * ```
 */
import { Effect, Option, Stream } from "effect"
import { largestChunkBytes } from "../domain/data/DataBounds.ts"
import { DigestTree } from "../domain/data/DigestTree.ts"
import type { MapStateChunk } from "../domain/wire/PartitionMessages.ts"
import type { KeyDigest } from "../domain/data/KeyName.ts"
import type { PartitionStoreShape } from "../services/PartitionStore.ts"
import { type Content, mapContent } from "./store/Content.ts"
import { expect, expectSame, type Law, LawBroken, type Medium } from "./store/Law.ts"
import { random } from "./simulation/Random.ts"

export { type Content, mapContent, type Law, LawBroken, type Medium }
export { mapLaws } from "./store/MapLaws.ts"

export interface Options<E> {
  /** A new medium with nothing on it, for one law. */
  readonly media: Effect.Effect<Medium<PartitionStoreShape, E>, E>
  /** Whether what was acknowledged is there when the medium is opened again. Default false. */
  readonly durable?: boolean
  /** Content from a seed, as this store understands it; overlapping, with several versions. Default: records of maps. */
  readonly content?: (seed: number) => Content
  /** Seeds that each law is tried with. Default 1…5. */
  readonly seeds?: ReadonlyArray<number>
}

/** All laws. */
export const laws = <E>(options: Options<E>): ReadonlyArray<Law<unknown>> => {
  const { content = mapContent, durable = false, media, seeds = [1, 2, 3, 4, 5] } = options
  const law = (name: string, check: Check): Law<unknown> => ({
    name,
    check: Effect.forEach(
      seeds,
      (seed) =>
        Effect.gen(function* () {
          const medium = yield* media
          yield* Effect.scoped(Effect.flatMap(medium.open, (store) => check(store, content(seed), seed)))
        }),
      { discard: true }
    )
  })
  const all = Object.entries(checks).map(([name, check]) => law(name, check))
  return durable ? [...all, restart(media, content, seeds)] : all
}

type Check = (store: PartitionStoreShape, content: Content, seed: number) => Effect.Effect<void, unknown>

// ---- what the laws look at ----------------------------------------------------------------------

/** Every key with its digest, in one order. */
const keysOf = (store: PartitionStoreShape, partitionId: number, node: number = DigestTree.root) =>
  Effect.map(Stream.runCollect(store.keyDigests(partitionId, node)), (pieces) =>
    pieces.flat().toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  )

const nameOf = ({ key, mapName, mapType }: KeyDigest): string => JSON.stringify([mapType, mapName, key])

const rootOf = (store: PartitionStoreShape, partitionId: number) =>
  Effect.map(store.digests(partitionId, [DigestTree.root]), ([root]) => root)

const expectEqual = (store: PartitionStoreShape, a: number, b: number, why: string) =>
  Effect.gen(function* () {
    yield* expectSame(yield* keysOf(store, a), yield* keysOf(store, b), why)
    yield* expectSame(yield* rootOf(store, a), yield* rootOf(store, b), `${why}, with equal root digests`)
    yield* expectSame((yield* store.size(a)).records, (yield* store.size(b)).records, `${why}, of one size`)
  })

const mergeAll = (store: PartitionStoreShape, partitionId: number, chunks: ReadonlyArray<MapStateChunk>) =>
  Effect.forEach(chunks, (chunk) => store.merge(partitionId, chunk), { discard: true })

const fill = (store: PartitionStoreShape, partitionId: number, { chunks, deltas }: Content) =>
  Effect.andThen(mergeAll(store, partitionId, chunks), store.apply(partitionId, deltas))

const copy = (store: PartitionStoreShape, from: number, to: number, maxChunkBytes?: number) =>
  Stream.runForEach(store.read(from, maxChunkBytes), (chunk) => store.merge(to, chunk))

// ---- the laws -----------------------------------------------------------------------------------

const checks: Record<string, Check> = {
  "an unknown partition is empty, and no error": (store) =>
    Effect.gen(function* () {
      yield* expectSame((yield* store.size(7)).records, 0, "no records")
      yield* expectSame(yield* Stream.runCollect(store.read(7)), [], "nothing to read")
      yield* expectSame(yield* store.digests(7, [0, 1, DigestTree.firstLeaf]), [0, 0, 0], "digests of nothing")
      yield* expectSame(yield* keysOf(store, 7), [], "no keys")
      yield* expectSame(yield* store.partitions, [], "no partitions")
      yield* expectSame(Option.isNone(yield* store.note(7)), true, "no note")
    }),

  "chunks in any order and twice lead to the same content": (store, { chunks }, seed) =>
    Effect.gen(function* () {
      yield* mergeAll(store, 1, chunks)
      yield* mergeAll(store, 2, random(seed).shuffle([...chunks, ...chunks]))
      yield* expectEqual(store, 1, 2, "equal content")
    }),

  "deltas before, between and after chunks lead to the same content": (store, content, seed) =>
    Effect.gen(function* () {
      const { chunks, deltas } = content
      yield* fill(store, 1, content)
      const steps = [
        ...chunks.map((chunk) => Effect.asVoid(store.merge(2, chunk))),
        ...deltas.map((delta) => Effect.asVoid(store.apply(2, [delta])))
      ]
      yield* Effect.forEach(random(seed).shuffle([...steps, ...steps]), (step) => step, { discard: true })
      yield* expectEqual(store, 1, 2, "equal content")
    }),

  "partitions merge commutatively, associatively and idempotently": (store, { chunks, deltas }) =>
    Effect.gen(function* () {
      const third = Math.ceil(chunks.length / 3)
      for (const partitionId of [0, 1, 2]) {
        yield* mergeAll(store, partitionId, chunks.slice(partitionId * third, (partitionId + 1) * third))
        yield* store.apply(partitionId, deltas.slice(partitionId * 10, (partitionId + 1) * 10))
      }
      for (const [to, order] of [
        [10, [0, 1, 2]],
        [11, [2, 1, 0]],
        [12, [1, 1, 2, 0, 2]]
      ] as const) {
        for (const from of order) yield* copy(store, from, to)
      }
      // (0 + 1) + 2 is 10; this is 0 + (1 + 2).
      yield* copy(store, 1, 13)
      yield* copy(store, 2, 13)
      yield* copy(store, 0, 14)
      yield* copy(store, 13, 14)
      for (const other of [11, 12, 14]) yield* expectEqual(store, 10, other, "equal content")
    }),

  "merging tells what changed, and nothing the second time": (store, content) =>
    Effect.gen(function* () {
      yield* fill(store, 1, content)
      const before = yield* store.size(1)
      for (const chunk of content.chunks) {
        yield* expectSame((yield* store.merge(1, chunk)).changed, 0, "no change by a known chunk")
      }
      const again = yield* store.apply(1, content.deltas)
      yield* expectSame([again.changed, again.changes], [0, []], "no change by known deltas")
      yield* expectSame(yield* store.size(1), before, "size and version as before")
      const { changes } = yield* store.apply(2, content.deltas)
      yield* store.apply(3, content.deltas)
      yield* store.apply(4, changes)
      yield* expectEqual(store, 3, 4, "the reported changes to be the content")
    }),

  "chunks are within their size, of one map each, and make the whole content": (store, content) =>
    Effect.gen(function* () {
      yield* fill(store, 1, content)
      for (const [to, maxChunkBytes] of [
        [2, 1],
        [3, 200],
        [4, 5000],
        [5, largestChunkBytes],
        [6, undefined]
      ] as const) {
        const chunks = yield* Stream.runCollect(store.read(1, maxChunkBytes))
        const single = yield* Stream.runCollect(store.read(1, 1))
        yield* expectSame(single.length, (yield* store.size(1)).records, "as many of the smallest chunks as records")
        const largest = Math.max(...single.map(({ data }) => data.length))
        for (const { data } of chunks) {
          const limit = Math.max(maxChunkBytes ?? largestChunkBytes, largest + 8)
          yield* expect(data.length > 0 && data.length <= limit, `a chunk of 1…${limit} bytes`, () => `${data.length}`)
        }
        yield* mergeAll(store, to, chunks)
        yield* expectEqual(store, 1, to, `the copy by chunks of ${maxChunkBytes} to be equal`)
      }
    }),

  "a copy under changes is complete with the changes that were reported since": (store, content, seed) =>
    Effect.gen(function* () {
      yield* mergeAll(store, 1, content.chunks)
      const { below } = random(seed)
      let at = 0
      yield* Stream.runForEach(store.read(1, 150), (chunk) =>
        Effect.gen(function* () {
          yield* store.merge(2, chunk)
          const next = content.deltas.slice(at, (at += 1 + below(3)))
          const { changes } = yield* store.apply(1, next)
          yield* store.apply(2, changes)
        })
      )
      yield* expectEqual(store, 1, 2, "equal content")
    }),

  "a reading that ends early leaves the store usable": (store, content) =>
    Effect.gen(function* () {
      yield* fill(store, 1, content)
      for (let i = 0; i < 20; i++) yield* Stream.runDrain(Stream.take(store.read(1, 1), 1))
      yield* copy(store, 1, 2)
      yield* expectEqual(store, 1, 2, "equal content")
    }),

  "digests are equal exactly when the content is, at every node": (store, content) =>
    Effect.gen(function* () {
      yield* fill(store, 1, content)
      const nodes = Array.from({ length: DigestTree.size }, (_, node) => node)
      const digests = yield* store.digests(1, nodes)
      for (let node = 0; node < DigestTree.firstLeaf; node++) {
        const sum = DigestTree.children(node).reduce((total, child) => (total + (digests[child] ?? 0)) % 2 ** 52, 0)
        yield* expectSame(digests[node], sum, `node ${node} to have the sum of its children`)
      }
      for (const node of nodes) {
        if (digests[node] === 0 && node !== DigestTree.root) continue
        const below = (yield* keysOf(store, 1, node)).reduce((total, { digest }) => (total + digest) % 2 ** 52, 0)
        yield* expectSame(below, digests[node], `the keys below node ${node} to have its digest`)
      }
      // Each delta alone makes a difference, and the same one makes none.
      const seen = new Set<string>()
      for (const delta of content.deltas) {
        yield* store.drop(2)
        yield* store.apply(2, [delta])
        const [{ digest } = { digest: 0 }] = yield* keysOf(store, 2)
        seen.add(`${delta.mapName} ${delta.key} ${digest}`)
      }
      const different = new Set(
        content.deltas.map(({ entry, key, mapName }) => `${mapName} ${key} ${Buffer.from(entry).toString("hex")}`)
      )
      yield* expectSame(seen.size, different.size, "as many digests as different records")
    }),

  "the records of all keys are the content": (store, content) =>
    Effect.gen(function* () {
      yield* fill(store, 1, content)
      const keys = yield* keysOf(store, 1)
      const deltas = yield* store.records(1, [...keys, { mapName: "none", mapType: "lww", key: "none" }])
      yield* expectSame(deltas.length, (yield* store.size(1)).records, "every record once")
      yield* store.apply(2, deltas)
      yield* expectEqual(store, 1, 2, "equal content")
    }),

  "a dropped partition is gone with its note, and no other is touched": (store, content) =>
    Effect.gen(function* () {
      yield* fill(store, 1, content)
      yield* fill(store, 2, content)
      yield* store.setNote(1, Uint8Array.of(1))
      yield* store.setNote(2, Uint8Array.of(2))
      yield* expectSame(yield* store.drop(1), true, "to be dropped")
      yield* expectSame(
        (yield* store.partitions).map(({ partitionId }) => partitionId),
        [2],
        "only the other"
      )
      yield* expectSame([yield* rootOf(store, 1), Option.isNone(yield* store.note(1))], [0, true], "nothing to be left")
      yield* fill(store, 1, content)
      yield* expectEqual(store, 1, 2, "a partition that is filled again to be as the other")
      yield* expectSame(Option.getOrUndefined(yield* store.note(2)), Uint8Array.of(2), "the other's note")
    }),

  "a partition that has changed since is not dropped": (store, content) =>
    Effect.gen(function* () {
      yield* mergeAll(store, 1, content.chunks)
      const { version } = yield* store.size(1)
      const { changed } = yield* store.apply(1, content.deltas)
      yield* expect(changed > 0, "content whose deltas change something", () => "nothing changed")
      yield* expectSame(yield* store.drop(1, version), false, "to be kept")
      const now = yield* store.size(1)
      yield* expect(now.records > 0, "records", () => JSON.stringify(now))
      yield* expectSame(yield* store.drop(1, now.version), true, "to be dropped")
      yield* fill(store, 1, content)
      yield* expectSame(yield* store.drop(1, now.version), false, "a version never to come twice")
    }),

  "what is malformed is refused, and nothing of it kept": (store, content) =>
    Effect.gen(function* () {
      yield* mergeAll(store, 1, content.chunks)
      const before = yield* store.size(1)
      const data = Uint8Array.of(0xc1, 0xff, 0)
      const chunk = yield* Effect.flip(store.merge(1, { mapName: "m", mapType: "lww", data }))
      const bad = { mapName: "m", key: "k", entry: data }
      const delta = yield* Effect.flip(store.apply(1, [...content.deltas, bad]))
      yield* expectSame([chunk._tag, delta._tag], ["MalformedRecords", "MalformedRecords"], "typed errors")
      yield* expectSame(yield* store.size(1), before, "nothing to change")
    }),

  "many at once on one partition are all there": (store, content) =>
    Effect.gen(function* () {
      const one = content.deltas.map((delta) => Effect.asVoid(store.apply(1, [delta])))
      const chunks = content.chunks.map((chunk) => Effect.asVoid(store.merge(1, chunk)))
      yield* Effect.all([...one, ...chunks, ...one], { concurrency: "unbounded", discard: true })
      yield* fill(store, 2, content)
      yield* expectEqual(store, 1, 2, "equal content")
    })
}

/** What must survive. */
const look = (store: PartitionStoreShape) =>
  Effect.gen(function* () {
    const sizes = (yield* store.partitions).map(({ bytes, partitionId, records }) => [partitionId, records, bytes])
    const notes = [yield* store.note(1), yield* store.note(2), yield* store.note(3)].map(Option.getOrUndefined)
    return [sizes.toSorted(([a = 0], [b = 0]) => a - b), yield* keysOf(store, 1), yield* rootOf(store, 1), notes]
  })

const restart = <E>(
  media: Options<E>["media"],
  content: (seed: number) => Content,
  seeds: ReadonlyArray<number>
): Law<unknown> => ({
  name: "what was acknowledged is there when the store is opened again",
  check: Effect.forEach(
    seeds,
    (seed) =>
      Effect.gen(function* () {
        const medium = yield* media
        const before = yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* medium.open
            yield* fill(store, 1, content(seed))
            yield* fill(store, 2, content(seed + 1))
            yield* fill(store, 4, content(seed + 1))
            yield* store.setNote(1, Uint8Array.of(seed))
            yield* store.setNote(3, Uint8Array.of(1, 2))
            yield* store.drop(2)
            return yield* look(store)
          })
        )
        yield* expectSame(yield* Effect.scoped(Effect.flatMap(medium.open, look)), before, "the same content and notes")
      }),
    { discard: true }
  )
})
