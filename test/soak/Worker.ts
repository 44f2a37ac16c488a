/** A process of the soak: gets shares one by one from its parent, and answers each with its result. */
import { Schema } from "effect"
import { Simulation } from "../../src/testing.ts"
import { optionsOf, Share, type ShareResult } from "./Share.ts"

const runShare = (share: Share): ShareResult => {
  const startMs = performance.now()
  let violations = 0
  let virtualMs = 0
  let first: ShareResult["first"]
  for (let seed = share.from; seed <= share.to; seed++) {
    const outcome = Simulation.run(optionsOf(share, seed))
    virtualMs += outcome.virtualMs
    if (outcome.violation === undefined) continue
    violations++
    first ??= { seed, violation: outcome.violation }
  }
  return {
    ...share,
    violations,
    ...(first === undefined ? {} : { first }),
    virtualMs,
    elapsedMs: performance.now() - startMs
  }
}

process.on("message", (message: unknown) => {
  process.send?.(runShare(Schema.decodeUnknownSync(Share)(message)))
})
