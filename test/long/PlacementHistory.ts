/**
 * 1,000 random joins and leaves, with one to three backups: both spreads stay at most 1, no partition
 * loses its replicas, and copies stay at the floor in every quarter. `node test/long/PlacementHistory.ts SEED`.
 */
import { history } from "../domain/placement/History.ts"
import { fewestCopies, movement, ownerSpread, replicaSpread } from "../domain/placement/Measure.ts"

const seed = Number(process.argv[2] ?? 1)
const steps = 1000
let bad = 0

for (const backupCount of [1, 2, 3]) {
  const quarters = Array.from({ length: 4 }, () => ({ copies: 0, floor: 0 }))
  let done = 0
  for (const { before, members, plan, label } of history({
    seed,
    partitionCount: 271,
    backupCount,
    steps,
    fewestNodes: 5,
    mostNodes: 60,
    events: ["join", "leave"]
  })) {
    const moved = movement(before, plan.target, members)
    const quarter = quarters[Math.floor((done++ * 4) / steps)]
    if (quarter !== undefined) {
      quarter.copies += moved.copies
      quarter.floor += fewestCopies(before, members, 271, backupCount + 1)
    }
    const spreads = [ownerSpread(plan.target, members), replicaSpread(plan.target, members)]
    if (spreads.some((spread) => spread > 1) || moved.orphaned > 0) {
      bad++
      console.log(
        `${label}: spreads ${spreads.join(" and ")}, ${moved.orphaned} partitions without a surviving replica`
      )
    }
  }
  const ratios = quarters.map(({ copies, floor }) => copies / floor)
  // A leave may need a copy that counting does not show; more than one in a thousand would be a fault.
  if (ratios.some((ratio) => ratio > 1.001)) bad++
  const text = ratios.map((ratio) => ratio.toFixed(4)).join(", ")
  console.log(`271 partitions, ${backupCount} backups, ${done} steps: copies ÷ floor by quarter ${text}`)
}
process.exitCode = bad === 0 ? 0 : 1
