import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll } from "vitest"
import * as PartitionStoreSqlite from "../../../src/layers/PartitionStoreSqlite.ts"
import * as PartitionStoreLaws from "../../../src/testing/PartitionStoreLaws.ts"

// In memory where there is such a place: what is tested here does not depend on how slow the disk is.
const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "squadron-store-"))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const freshPath = (): string => join(folder, `${++files}.db`)
const media = Effect.sync(() => ({ open: PartitionStoreSqlite.makeWithoutThread({ path: freshPath() }) }))
const inThread = Effect.sync(() => ({ open: PartitionStoreSqlite.make({ path: freshPath() }) }))

const some = new Set([
  "what was acknowledged is there when the store is opened again",
  "many at once on one partition are all there"
])

describe("In a file, by a thread of its own", () => {
  const laws = PartitionStoreLaws.laws({ media: inThread, durable: true, seeds: [3] })
  for (const { check, name } of laws.filter(({ name }) => some.has(name))) it.live(name, () => check)
})

describe("In a file", () => {
  for (const { check, name } of PartitionStoreLaws.laws({ media, durable: true, seeds: [1, 2] }))
    it.live(name, () => check)
  for (const { check, name } of PartitionStoreLaws.mapLaws(media)) it.live(name, () => check)
})
