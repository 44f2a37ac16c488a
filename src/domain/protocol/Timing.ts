/**
 * The protocol's waiting times, in units of the heartbeat interval, so that a cluster that beats
 * faster also decides faster. In brackets: milliseconds at the default interval of one second.
 */
import type { ClusterConfig } from "../model/ClusterConfig.ts"

export interface Timing {
  /** Between two ticks of a node (250). */
  readonly tickIntervalMs: number
  /** A report older than this says nothing any more (3500). */
  readonly reportFreshMs: number
  /**
   * On rings: between two reports to a steward, and its answers (4000): one lost report and the next must both come
   * before a suspicion has had its time. Such a report is as long overdue as a heartbeat when it is stale (6500).
   */
  readonly reportIntervalMs: number
  readonly rareReportFreshMs: number
  /** Own stall after which a node neither proposes nor declares (1500), and for how long (2000). */
  readonly stallHoldAfterMs: number
  readonly stallHoldMs: number
  /** An unsettled view is sent again (500), and may be superseded (2000). */
  readonly resendMs: number
  readonly supersedeMs: number
  /** Least time between two repairs sent to one peer (500). */
  readonly repairMs: number
  /** A claim waits for the voters that it can hear (1500), and is made anew (3000). */
  readonly claimWaitMs: number
  readonly claimRetryMs: number
  /** The k-th oldest waits k times this before it claims (2000). */
  readonly rankWaitMs: number
  /** A silent joiner is dropped (5000), a dead member forgotten (5000). */
  readonly joinerDropMs: number
  readonly deadForgetMs: number
  /** A member that is not made active, and hears of no other view, asks to be admitted again (10,000). */
  readonly strandedMs: number
  /** Fresh nodes ask for the cluster (1000), count as present (2500) and are forgotten (5000). */
  readonly joinIntervalMs: number
  readonly freshPresentMs: number
  readonly freshForgetMs: number
  /** A founder waits before its candidacy (1000), for promises (1500), and dissolves a founding (6000). */
  readonly candidacyMs: number
  readonly promiseWaitMs: number
  readonly foundingDissolveMs: number
  /** A founding round is over (4000). */
  readonly foundingRoundMs: number
  /** A live cluster that was heard of is waited for (5000). */
  readonly liveClusterMs: number
  /** The winner of a merge does not dissolve itself (5000); who has halted goes over to a live part (15,000). */
  readonly mergeHoldMs: number
  readonly haltedDissolveMs: number
  /** Spread of the probes' times, and the wait for the probe after a merge (2000). */
  readonly probeSpreadMs: number
  /** A former member is probed that long (600,000). */
  readonly outsideForgetMs: number
  /** What was sent on a connection that both ends have left has arrived (1000). */
  readonly surplusMs: number
  /** A redial of a lost connection proves a death only within this (5000). */
  readonly proofMs: number
}

export const timingOf = (config: ClusterConfig): Timing => {
  const beat = config.heartbeatIntervalMs
  return {
    tickIntervalMs: Math.max(1, Math.floor(beat / 4)),
    reportFreshMs: 3.5 * beat,
    reportIntervalMs: 4 * beat,
    rareReportFreshMs: (4 + 2.5) * beat,
    stallHoldAfterMs: 1.5 * beat,
    stallHoldMs: 2 * beat,
    resendMs: beat / 2,
    supersedeMs: 2 * beat,
    repairMs: beat / 2,
    claimWaitMs: 1.5 * beat,
    claimRetryMs: 3 * beat,
    rankWaitMs: 2 * beat,
    joinerDropMs: 5 * beat,
    deadForgetMs: 5 * beat,
    strandedMs: 10 * beat,
    joinIntervalMs: beat,
    freshPresentMs: 2.5 * beat,
    freshForgetMs: 5 * beat,
    candidacyMs: beat,
    promiseWaitMs: 1.5 * beat,
    foundingDissolveMs: 6 * beat,
    foundingRoundMs: 4 * beat,
    liveClusterMs: 5 * beat,
    mergeHoldMs: 5 * beat,
    haltedDissolveMs: 15 * beat,
    probeSpreadMs: 2 * beat,
    outsideForgetMs: 600 * beat,
    surplusMs: beat,
    proofMs: 5 * beat
  }
}
