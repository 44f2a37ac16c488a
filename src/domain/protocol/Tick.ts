/** What a node does four times in a heartbeat interval: judge, beat, claim, plan, share. */
import * as Bootstrap from "./Bootstrap.ts"
import * as Duties from "./Duties.ts"
import * as Following from "./Following.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as JoinAnswered from "./JoinAnswered.ts"
import * as Leaving from "./Leaving.ts"
import { dissolveIfLost } from "./LostView.ts"
import * as Mastership from "./Mastership.ts"
import * as Mesh from "./Mesh.ts"
import * as Probing from "./Probing.ts"
import * as Surplus from "./Surplus.ts"
import * as Suspicion from "./Suspicion.ts"
import type { Step } from "./Transition.ts"
import { dissolveIfStranded, expelIfOut } from "./ViewUpdate.ts"

const beat = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined || step.nowMs < joined.nextHeartbeatAtMs) return
  const interval = step.state.config.heartbeatIntervalMs
  step.setJoined({ nextHeartbeatAtMs: Math.max(joined.nextHeartbeatAtMs + interval, step.nowMs + interval / 2) })
  Heartbeat.beat(step)
}

const closeUnwanted = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined || !joined.settled) return
  Mesh.closeUnwanted(step, joined.view, step.state.config.maxNoHeartbeatMs)
}

const isLed = (step: Step): boolean => step.joined !== undefined && Following.isLed(step.joined)

/**
 * `judge` is the failure detector's verdict at this time; whom it has heard it trusts for `patienceMs`, which spares
 * asking it.
 */
export const tick = (step: Step, judge: Suspicion.Judge, patienceMs = 0): void => {
  if (step.fresh !== undefined) {
    Leaving.tick(step)
    Bootstrap.tick(step)
    return
  }
  if (!Suspicion.isCalm(step)) Suspicion.judgeAll(step, judge, undefined, patienceMs)
  beat(step)
  if (isLed(step)) {
    if (Following.dissolveIfLeaderless(step)) return
    Leaving.tick(step)
  } else if (expelIfOut(step) || dissolveIfStranded(step)) return
  else if (JoinAnswered.dissolveFailedFounding(step) || dissolveIfLost(step)) return
  else Leaving.tick(step)
  Mastership.tick(step)
  Duties.run(step)
  if (isLed(step)) Following.tick(step)
  else JoinAnswered.dialOlder(step)
  Probing.tick(step)
  Surplus.close(step)
  closeUnwanted(step)
  Mesh.forgetLost(step, (nodeId) => {
    const lost = step.state.mesh.lost.get(nodeId)
    return lost !== undefined && step.nowMs - lost.atMs < step.timing.proofMs
  })
}
