/**
 * Writes to a store in a file for as long as it lives, and says on its standard output what was acknowledged: `w n`
 * for the value n, `d n` for the removal of all values up to n from the partition that is dropped now and then.
 *
 * `node test/long/StoreWriter.ts PATH FIRST`
 */
import { Effect } from "effect"
import * as PartitionStoreSqlite from "../../src/layers/PartitionStoreSqlite.ts"
import type { MapStoreShape } from "../../src/services/MapStore.ts"

const partitions = 4
/** The partition that is dropped, again and again. */
const dropped = partitions
const writers = 48

const [path = "", first = "0"] = process.argv.slice(2)
let last = Number(first)

const writeOne = (store: MapStoreShape) => {
  const n = ++last
  const partitionId = n % (partitions + 1)
  const reading = { wallMs: Date.now(), counter: n, node: "writer#1" }
  const value = new Uint8Array(8 + (n % 200))
  new DataView(value.buffer).setFloat64(0, n)
  return Effect.andThen(
    store.write(partitionId, [{ type: "put", mapName: "numbers", key: `${n}`, value }], reading),
    Effect.sync(() => process.stdout.write(`w ${n}\n`))
  )
}

/** All that it was given before is gone when this is acknowledged. */
const dropOne = (store: MapStoreShape) =>
  Effect.suspend(() => {
    const until = last - writers
    return Effect.andThen(
      store.drop(dropped),
      Effect.sync(() => process.stdout.write(`d ${until}\n`))
    )
  })

const program = Effect.gen(function* () {
  const store = yield* PartitionStoreSqlite.make({ path })
  const loop = Effect.forever(Effect.suspend(() => writeOne(store)))
  const drops = Effect.forever(Effect.andThen(Effect.sleep("20 millis"), dropOne(store)))
  yield* Effect.all([drops, ...Array.from({ length: writers }, () => loop)], { concurrency: "unbounded" })
})

await Effect.runPromise(Effect.scoped(program))
