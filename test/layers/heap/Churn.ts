/**
 * A process with some living data that makes buffers and lets them go: tells how often all of its heap is collected. Its
 * argument is the percentage.
 */
import { Effect, Schema } from "effect"
import { constants, PerformanceObserver } from "node:perf_hooks"
import * as HeapGrowth from "../../../src/layers/HeapGrowth.ts"

const mib = 2 ** 20
const Major = Schema.Struct({ kind: Schema.Literal(constants.NODE_PERFORMANCE_GC_MAJOR) })
const pieceBytes = 128 * 1024
const churnMib = 256

let collections = 0
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if ("detail" in entry && Schema.is(Major)(entry.detail)) collections++
  }
})
observer.observe({ entryTypes: ["gc"] })

const living = Array.from({ length: 300_000 }, (_, index) => ({ index, text: `record ${index}` }))

// V8 leaves little room to a program that allocates slowly: so it is not made at once.
const churn = Effect.gen(function* () {
  for (let made = 0; made < churnMib * mib; made += pieceBytes) {
    Buffer.allocUnsafeSlow(pieceBytes)
    yield* Effect.sleep(1)
  }
})

await Effect.runPromise(Effect.provide(churn, HeapGrowth.layer(Number(process.argv[2]))))
console.log(JSON.stringify({ collections, living: living.length }))
process.exit(0)
