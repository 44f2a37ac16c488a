/** In processes of their own: a flag of V8 holds for all of a process, and for ever. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as HeapGrowth from "../../src/layers/HeapGrowth.ts"

const path = fileURLToPath(new URL("heap/Churn.ts", import.meta.url))
const Told = Schema.fromJsonString(Schema.Struct({ collections: Schema.Number, living: Schema.Number }))

/** Full collections of a process that makes 256 MiB of buffers. */
const collections = async (percent: number, nodeFlags: ReadonlyArray<string> = []): Promise<number> => {
  const { stdout } = await promisify(execFile)(process.execPath, [...nodeFlags, path, String(percent)])
  return Schema.decodeUnknownSync(Told)(stdout).collections
}

describe("HeapGrowth", () => {
  it("a heap that may grow is collected less often, but not where the process was started with the flag", async () => {
    const [few, many, chosen] = await Promise.all([
      collections(400),
      collections(2),
      collections(400, ["--heap_growing_percent=2"])
    ])
    expect(many).toBeGreaterThan(1.5 * few)
    expect(chosen).toBeGreaterThan(1.5 * few)
  }, 30_000)

  it.each([0, -1, 1.5, Number.NaN, 10_001])("%d is refused", (percent) => {
    expect(() => HeapGrowth.layer(percent)).toThrow(`${percent} is no whole percentage in 1…10000`)
  })
})
