/** A process of the fuzz: gets shares one by one from its parent, and answers each with its result. */
import { Schema } from "effect"
import { fuzz } from "../domain/codec/Fuzz.ts"
import { Share, type ShareResult } from "./Share.ts"

const runShare = (share: Share): ShareResult => {
  const startMs = performance.now()
  const result = outcome(share)
  return { ...share, ...result, elapsedMs: performance.now() - startMs, residentBytes: process.memoryUsage.rss() }
}

const outcome = (share: Share): Pick<ShareResult, "accepted" | "failure"> => {
  try {
    return { accepted: fuzz(share).accepted }
  } catch (error) {
    return { accepted: 0, failure: error instanceof Error ? error.message : String(error) }
  }
}

process.on("message", (message: unknown) => {
  process.send?.(runShare(Schema.decodeUnknownSync(Share)(message)))
})
