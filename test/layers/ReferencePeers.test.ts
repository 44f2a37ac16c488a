/** A model of a node of the reference over real sockets beside a real Squadron node: joined by it, and joined to it. */
import { once } from "node:events"
import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Result, Schedule } from "effect"
import { decodeClusterMessage, encodeClusterMessage } from "../../src/domain/codec/ClusterMessageCodec.ts"
import * as Frame from "../../src/domain/codec/Frame.ts"
import { parseAddress } from "../../src/domain/model/Address.ts"
import { ClusterConfig } from "../../src/domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../src/domain/model/NodeConfig.ts"
import type { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import { hasExtensions } from "../../src/domain/wire/StripExtensions.ts"
import * as NodeCluster from "../../src/layers/NodeCluster.ts"
import { ClusterService } from "../../src/services/ClusterService.ts"
import { Transport } from "../../src/services/Transport.ts"
import { type ReferenceEvent, referenceTurn } from "../../src/testing/simulation/reference/ReferencePeer.ts"
import {
  believesToLead,
  heartbeatMs,
  referenceStart,
  type ReferenceState
} from "../../src/testing/simulation/reference/ReferenceState.ts"

const partitionCount = 31

/** Drives the model: its sockets, its timer, its wall clock. */
class ReferenceNode {
  state: ReferenceState
  readonly received: Array<ClusterMessage> = []
  private readonly server: Net.Server
  private readonly sockets = new Map<number, Net.Socket>()
  private readonly timer: NodeJS.Timeout
  private opened = 0

  constructor(nodeId: string, server: Net.Server, clusterPort: number, seeds: ReadonlyArray<string>) {
    const options = { nodeId, host: "127.0.0.1", clientPort: clusterPort, clusterPort, clusterId: "", seeds }
    this.state = referenceStart({ ...options, partitionCount, backupCount: 1 }, Date.now())
    this.server = server.on("connection", (socket) => this.handle({ _tag: "Accepted", connection: this.open(socket) }))
    this.timer = setInterval(() => this.handle({ _tag: "Ticked" }), heartbeatMs / 4)
    this.handle({ _tag: "Started" })
    this.handle({ _tag: "Ticked" })
  }
  private open(socket: Net.Socket): number {
    const connection = ++this.opened
    let splitter = Frame.empty
    this.sockets.set(connection, socket)
    socket.on("error", () => {})
    socket.on("data", (chunk) => {
      const split = Result.getOrThrow(Frame.push(splitter, chunk))
      splitter = split.splitter
      for (const frame of split.frames) {
        const message = Result.getOrThrow(decodeClusterMessage(frame))
        this.received.push(message)
        this.handle({ _tag: "Received", connection, message })
      }
    })
    socket.on("close", () => {
      this.sockets.delete(connection)
      this.handle({ _tag: "Closed", connection })
    })
    return connection
  }
  private dial(address: string): void {
    const { host, port } = Result.getOrThrow(parseAddress(address))
    const socket = Net.connect({ host, port, noDelay: true })
    const failed = () => this.handle({ _tag: "DialFailed", address })
    socket.once("error", failed)
    socket.once("connect", () => {
      socket.off("error", failed)
      this.handle({ _tag: "Dialled", connection: this.open(socket), address })
    })
  }
  private handle(event: ReferenceEvent): void {
    const [state, actions] = referenceTurn(this.state, event, Date.now())
    this.state = state
    for (const action of actions) {
      if (action._tag === "Dial") this.dial(action.address)
      else this.sockets.get(action.connection)?.write(Frame.encode(encodeClusterMessage(action.message)))
    }
  }
  kill(): void {
    clearInterval(this.timer)
    this.server.close()
    for (const socket of this.sockets.values()) socket.destroy()
  }
}

const reference = (nodeId: string, seeds: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = Net.createServer({ noDelay: true }).listen(0, "127.0.0.1")
      await once(server, "listening")
      const bound = server.address()
      if (bound === null || typeof bound === "string") throw new Error("a TCP server has a port")
      return new ReferenceNode(nodeId, server, bound.port, seeds)
    }),
    (node) => Effect.sync(() => node.kill())
  )

const squadron = (nodeId: string, seeds: ReadonlyArray<string>) =>
  Layer.build(
    NodeCluster.layer({
      config: { ...ClusterConfig.defaults, seedAddresses: seeds },
      node: NodeConfig.of({ nodeId, clusterPort: 0, partitionCount })
    })
  )

const eventually = (holds: Effect.Effect<boolean>) =>
  holds.pipe(
    Effect.filterOrFail((isSo) => isSo),
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeout("20 seconds")
  )

describe("a node of the reference over TCP", () => {
  it.live(
    "joins a Squadron node: its welcome, then the table, then heartbeats, and nothing that it does not know",
    () =>
      Effect.gen(function* () {
        const n1 = yield* squadron("n1", [])
        const r1 = yield* reference("r1", [Context.get(n1, Transport).localAddress])
        yield* eventually(Effect.sync(() => r1.received.filter(({ type }) => type === "HEARTBEAT").length >= 2))
        const [welcome, table, ...rest] = r1.received
        if (welcome?.type !== "JOIN_RESPONSE") return assert.fail(`the first answer is ${welcome?.type}`)
        assert.isTrue(welcome.accepted)
        const list = Option.getOrThrow(welcome.membersView)
        assert.deepStrictEqual(
          list.members.map(({ nodeId, state }) => [nodeId, state]),
          [
            ["n1", "active"],
            ["r1", "active"]
          ]
        )
        const rows = Option.getOrThrow(welcome.partitionAssignments)
        assert.strictEqual(rows.length, partitionCount)
        assert.isTrue(rows.some(({ owner }) => owner === "r1"))
        assert.strictEqual(table?.type, "PARTITION_TABLE_UPDATE")
        assert.deepStrictEqual(
          rest.filter(
            ({ type }) => type !== "HEARTBEAT" && type !== "MEMBERS_UPDATE" && type !== "PARTITION_TABLE_UPDATE"
          ),
          []
        )
        assert.deepStrictEqual(r1.received.filter(hasExtensions), [])
        const members = Effect.map(Context.get(n1, ClusterService).membersView, (view) => view.members)
        const stateOf = Effect.map(members, (all) => all.find(({ nodeId }) => nodeId === "r1")?.state)
        assert.strictEqual(yield* stateOf, "active")
        r1.kill()
        yield* eventually(Effect.map(stateOf, (state) => state !== "active"))
      }),
    40_000
  )

  it.live(
    "is joined by a Squadron node, which follows it and takes over when it dies",
    () =>
      Effect.gen(function* () {
        const r1 = yield* reference("r1", [])
        const n2 = Context.get(yield* squadron("n2", [`127.0.0.1:${r1.state.options.clusterPort}`]), ClusterService)
        assert.isFalse(yield* n2.isMaster)
        assert.isTrue(believesToLead(r1.state))
        const followed = yield* n2.membersView
        assert.deepStrictEqual(
          followed.members.map(({ nodeId }) => nodeId),
          ["r1", "n2"]
        )
        yield* eventually(Effect.sync(() => r1.state.heard.has("n2")))
        assert.strictEqual(r1.state.view.members.find(({ nodeId }) => nodeId === "n2")?.state, "active")
        r1.kill()
        yield* eventually(n2.isMaster)
      }),
    40_000
  )
})
