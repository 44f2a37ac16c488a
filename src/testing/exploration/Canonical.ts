/**
 * A model as a short text that is the same for models between which no future can tell: times count from now and only
 * as far back as any rule looks, and connections have no numbers but places.
 */
import type { ClusterState } from "../../domain/protocol/ClusterState.ts"
import { PersistentMap } from "../../domain/protocol/PersistentMap.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import { type Core, type Model, startMs, tickMs } from "./Model.ts"

/** No rule looks further back: all the longer waits are not reached within an exploration. */
const oldestMs = 70 * tickMs

const isTime = (value: number): boolean => value > startMs / 2 && value < 2 * startMs

const numberText = (value: number, nowMs: number): string => {
  if (!isTime(value)) return String(value)
  return `t${Math.max(-oldestMs, Math.round(value - nowMs))}`
}

const write = (value: unknown, nowMs: number): string => {
  if (typeof value === "number") return numberText(value, nowMs)
  if (value === null || typeof value !== "object") return String(value)
  if (Array.isArray(value)) return `[${value.map((item) => write(item, nowMs)).join()}]`
  if (value instanceof Map || value instanceof Set || value instanceof PersistentMap) {
    return `{${[...value]
      .map((item) => write(item, nowMs))
      .toSorted()
      .join()}}`
  }
  if (Symbol.iterator in value && Object.keys(value).length === 0) return "~"
  return `(${Object.entries(value)
    .map(([key, item]) => `${key}:${write(item, nowMs)}`)
    .join()})`
}

const states = new WeakMap<ClusterState, string>()
const messages = new WeakMap<ClusterMessage, string>()

/** Places of a node's connections, in the order in which they were made. */
const placesOf = (state: ClusterState): ReadonlyMap<number, number> =>
  new Map([...state.mesh.connections.keys()].toSorted((a, b) => a - b).map((id, place) => [id, place]))

const stateText = (state: ClusterState): string => {
  const known = states.get(state)
  if (known !== undefined) return known
  const { clock, holdUntilMs, lastVersion, leavingSinceMs, mesh, peers, phase, published, self, split } = state
  const places = placesOf(state)
  const connections = [...mesh.connections.values()]
    .toSorted((a, b) => a.id - b.id)
    .map(
      ({ agreedAtMs, dialled, extended, isNamed, nodeId }) =>
        `${dialled} ${nodeId} ${isNamed} ${extended} ${write(agreedAtMs, clock.awakeMs)}`
    )
  const links = [...mesh.links].map(([nodeId, ids]) => `${nodeId}:${ids.map((id) => places.get(id)).join("+")}`)
  const rest = {
    holdUntilMs,
    lastVersion,
    leavingSinceMs,
    phase,
    peers,
    members: published.members,
    self,
    split,
    lost: mesh.lost
  }
  const dials = [...mesh.dials].map(([address, dial]) => `${address} ${dial.inFlight} ${dial.expected}`)
  const text = [
    connections.join(";"),
    links.toSorted().join(";"),
    dials.toSorted().join(";"),
    write(rest, clock.awakeMs)
  ].join("|")
  states.set(state, text)
  return text
}

const messageText = (message: ClusterMessage): string => {
  const known = messages.get(message)
  if (known !== undefined) return known
  const text = write(message, startMs)
  messages.set(message, text)
  return text
}

const coreText = ({ isAlive, state, suspects }: Core): string =>
  isAlive ? `${stateText(state)} ${[...suspects].toSorted().join()}` : "down"

/** The text; equal for models that have the same futures. */
export const canonical = (model: Model): string => {
  const places = model.cores.map((core) => placesOf(core.state))
  const wires = [...model.wires.values()].map(({ acceptor, dialler, number, queues }) => {
    const from = `${dialler}.${places[dialler]?.get(2 * number)}`
    const to = `${acceptor}.${places[acceptor]?.get(2 * number + 1)}`
    return `${from}-${to} ${queues.map((queue) => queue.map(messageText).join("/")).join(" ")}`
  })
  return [...model.cores.map(coreText), ...wires.toSorted()].join("\n")
}

/** 53 bits of a text: two different ones meet about once in 10^8 among 10^4 … and once in 100 among 10^7. */
export const hashOf = (text: string): number => {
  let a = 0x9e3779b1
  let b = 0x85ebca6b
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ code, 0x5bd1e995) ^ (b >>> 13)
  }
  return (b >>> 0) * 2 ** 21 + ((a ^ (a >>> 15)) & 0x1fffff)
}
