/** Settings with which no data would be safe are refused by name, before anything is opened. */
import { Result } from "effect"
import { expect, it } from "vitest"
import { ClusterConfig } from "../../../src/domain/model/ClusterConfig.ts"
import { dataSettingsOf, validateDataSettings } from "../../../src/domain/replication/DataSettings.ts"

const problem = (given: Parameters<typeof dataSettingsOf>[1], config: Partial<ClusterConfig> = {}) => {
  const settings = dataSettingsOf({ ...ClusterConfig.defaults, ...config }, given)
  return Result.getOrUndefined(Result.flip(validateDataSettings(settings)))?.message
}

it("the defaults are sound", () => expect(problem({})).toBeUndefined())

it.each([
  [{ copyBytesPerSecond: 0 }, "copyBytesPerSecond is 0, but must be a whole number of 1…1099511627776"],
  [{ chunkBytes: 1.5 }, "chunkBytes is 1.5, but must be a whole number of 1…4194304"],
  [{ maxClockDriftMs: -1 }, "maxClockDriftMs is -1, but must be a whole number of 0…2592000000"],
  [{ repairIntervalMs: Number.NaN }, "repairIntervalMs is null, but must be a whole number of 1…2592000000"]
])("%o", (given, message) => expect(problem(given)).toBe(message))

it("what is recovered may not be older than the horizon of removals", () => {
  expect(problem({ tombstoneHorizonMs: 80_000 })).toMatch(
    "tombstoneHorizonMs is 80000, but must be at least 1.25 times"
  )
  expect(problem({ tombstoneHorizonMs: 82_000 })).toBeUndefined()
  expect(problem({ tombstoneHorizonMs: 12_000 }, { splitBrainCheckIntervalMs: 2000 })).toBeUndefined()
  expect(problem({}, { splitBrainCheckIntervalMs: 86_400_000 })).toMatch("tombstoneHorizonMs is 86400000")
})
