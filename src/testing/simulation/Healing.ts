/** After the faults everything heals, and the nodes have to find themselves again. */
import { disagreement } from "./Agreement.ts"
import type { Arena } from "./Arena.ts"
import { usualDelay } from "./Setup.ts"
import { believesToLead } from "./reference/ReferenceState.ts"
import { Violation } from "./Violation.ts"

/** The nodes must agree this long after healing, and then go on agreeing. */
export const agreementLimitMs = 90_000
const stableMs = 4000
/** How often agreement is looked at. */
const lookMs = 250
/** Who gives up later than this after healing, because it finds no cluster, is not started again. */
const superviseMs = 40_000

// Starts what has stopped by itself, unless its id still runs somewhere else.
const restart = (world: Arena): void => {
  const running = new Set(world.living.map(({ id }) => id))
  for (const host of world.residences.hosts) {
    const nodeId = world.residences.at(host)?.nodeId
    if (nodeId === undefined || !running.has(nodeId)) world.start(host)
  }
}

// Whoever founds needs most of its seeds, and some of these are nodes of the reference: where nobody has a cluster any
// more, those are started as well, and anew if they wait for a master that is gone. Otherwise they may stay as they are.
const restartReferences = ({ living, references }: Arena): void => {
  if (references === undefined || living.some(({ joined }) => joined !== undefined)) return
  for (const host of references.hosts) {
    const running = references.get(host)
    if (running !== undefined && !believesToLead(running.state)) references.kill(running, false)
    references.start(host)
  }
}

/** Ends all trouble. */
export const heal = (world: Arena): void => {
  world.note("HEALED: no cuts, no delays, nobody frozen, and whoever is down is started")
  world.network.mendAll()
  world.network.delay = usualDelay
  world.network.slow.clear()
  world.network.loss.clear()
  world.isHealed = true
  // An operator ends what uses another node's id, or lives where nothing should.
  const homes = new Set(world.residences.hosts)
  for (const process of world.living) if (!homes.has(process.host)) world.kill(process, false)
  for (const process of world.living) process.thaw()
  world.references?.thawAll()
  restartReferences(world)
  restart(world)
}

/**
 * Runs until the nodes have agreed for a while, and `also` has found nothing wrong. Gives the milliseconds that it
 * took them; throws a {@link Violation} that says why they did not.
 */
export const awaitAgreement = (world: Arena, also: () => string | undefined = () => undefined): number => {
  const startMs = world.nowMs
  let sinceMs: number | undefined
  let fault: string | undefined
  while (world.nowMs - startMs < agreementLimitMs + stableMs) {
    world.run(lookMs)
    const isShort = world.living.length < world.residences.hosts.length
    fault =
      disagreement(world.living, world.references) ?? (isShort ? "not all nodes are running" : undefined) ?? also()
    if (fault !== undefined) sinceMs = undefined
    else if (sinceMs === undefined) sinceMs = world.nowMs
    else if (world.nowMs - sinceMs >= stableMs) return sinceMs - startMs
    if (world.nowMs - startMs < superviseMs) restart(world)
  }
  throw new Violation(`no agreement within ${agreementLimitMs} ms after healing: ${fault ?? "it did not last"}`)
}
