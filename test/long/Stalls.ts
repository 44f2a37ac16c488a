/**
 * A process that stands still for a while, and goes on, blames nobody for what it did not hear itself; and with the
 * defaults nobody removes it.
 */
import { setTimeout as wait } from "node:timers/promises"
import { ClusterConfig } from "../../src/index.ts"
import { ProcessStage } from "./ProcessStage.ts"
import { tell } from "./Scenario.ts"

const ids = ["n1", "n2", "n3", "n4", "n5"]
const victim = "n2"
/** Milliseconds of each stall. */
const stallsMs = [1200, 5000, 5000]

/** Three stalls of one node of five. Gives what happened; throws when anybody else is accused, or anybody removed. */
export const stalls = async (): Promise<string> => {
  const { splitBrainCheckIntervalMs, suspicionTimeoutMs } = ClusterConfig.defaults
  const stage = await ProcessStage.start({ ids, policy: "available", splitBrainCheckIntervalMs, suspicionTimeoutMs })
  const { cluster } = stage
  try {
    const all = ids.join(" ")
    const isCalm = () => tell(stage.sightings()).join() === `${all}: ${all}, led by n1, first lineage, first term`
    await cluster.until("five nodes form one cluster", isCalm, 60_000)
    await wait(6000)
    const from = new Map(ids.map((id) => [id, cluster.get(id).reports.length]))
    for (const ms of stallsMs) {
      const { child } = cluster.get(victim)
      child.kill("SIGSTOP")
      await wait(ms)
      child.kill("SIGCONT")
      await wait(2500)
    }
    const accused = ids.flatMap((id) =>
      cluster
        .get(id)
        .reports.slice(from.get(id))
        .flatMap(({ view }) =>
          view.members.filter(({ nodeId, state }) => state === "dead" || (state !== "active" && nodeId !== victim))
        )
        .map(({ nodeId, state }) => `${id} holds ${nodeId} for ${state}`)
    )
    if (accused.length > 0) throw new Error([...new Set(accused)].join(", "))
    await cluster.until("all five are active", isCalm, 10_000)
    return `stalls of ${stallsMs.join(", ")} ms with the defaults, nobody else suspected, nobody dead`
  } finally {
    stage.dispose()
  }
}
