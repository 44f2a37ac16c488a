/**
 * A stranger without the token reaches the ports of real nodes, with bytes that are no frames and with frames made
 * to hurt. Nothing that a node reports may change: views, tables, lineages, who acts.
 */
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { setTimeout as wait } from "node:timers/promises"
import { encodeClusterMessage, Frame } from "../../src/index.ts"
import { type Frames, hostileFrames, type KnownView } from "../../src/testing/simulation/Hostile.ts"
import { freePort, ProcessCluster } from "./ProcessCluster.ts"

const garbage: ReadonlyArray<Uint8Array> = [
  Buffer.from("GET / HTTP/1.1\r\n\r\n"),
  Buffer.from([0, 0, 0, 3, 0xc1, 0xc1, 0xc1]),
  Buffer.from([0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0, 0, 0, 100, 0x85])
]
const kinds: ReadonlyArray<Frames> = ["hugeVersion", "mastersName", "unaskedWelcome", "othersHeartbeat", "floodOfJoins"]
const rounds = 5
/** Lines of log that one node may write about all this. */
const maxLines = 60

const viewOf = (cluster: ProcessCluster, id: string): KnownView => {
  const { report } = cluster.get(id)
  if (report === undefined) throw new Error(`${id} reports nothing`)
  return {
    lineage: report.lineage,
    version: report.view.version,
    members: report.view.members.map(({ nodeId, state }) => ({
      nodeId,
      host: "127.0.0.1",
      clientPort: 1,
      clusterPort: cluster.get(nodeId).port,
      state,
      joinVersion: 0
    }))
  }
}

const dial = async (port: number): Promise<Socket> => {
  const socket = connect(port, "127.0.0.1")
  // The node may close at the first frame.
  socket.on("error", () => socket.destroy())
  await once(socket, "connect")
  return socket
}

/** Starts three nodes with a token, attacks each with everything, and lets a fourth join. Gives what happened. */
export const hostility = async (): Promise<string> => {
  const cluster = new ProcessCluster()
  const sockets: Array<Socket> = []
  const ids = ["n1", "n2", "n3"]
  process.env["SQUADRON_TOKEN"] = "of this cluster"
  try {
    const ports = await Promise.all(["n1", "n2", "n3", "n4"].map(freePort))
    const seeds = ports.map((port) => `127.0.0.1:${port}`).join(",")
    const start = (id: string, index: number) => cluster.start(id, ports[index] ?? 0, ["--seeds", seeds])
    for (const [index, id] of ids.entries()) start(id, index)
    await cluster.until("three nodes form one cluster", () => cluster.agree(ids), 60_000)
    const isSettled = () => ids.every((id) => cluster.get(id).report?.settled === true)
    await cluster.until("their view is settled", isSettled, 5000)
    await wait(1000)
    const reports = () => ids.map((id) => cluster.get(id).reports.length).join()
    const before = reports()
    for (let round = 0; round < rounds; round++) {
      for (const id of ids) {
        const attacks = [
          ...garbage,
          ...kinds.map((kind) =>
            Frame.encodeMany(hostileFrames(kind, viewOf(cluster, id)).map((message) => encodeClusterMessage(message)))
          ),
          // Each on a connection of its own as well: the first that is refused ends the one before.
          ...hostileFrames("hugeVersion", viewOf(cluster, id)).map((one) => Frame.encode(encodeClusterMessage(one)))
        ]
        for (const bytes of attacks) {
          const socket = await dial(cluster.get(id).port)
          socket.write(bytes)
          sockets.push(socket)
        }
      }
    }
    await wait(3000)
    if (reports() !== before) throw new Error(`something changed: ${before} → ${reports()}\n${cluster.describe()}`)
    const lines = Math.max(...ids.map((id) => cluster.get(id).stderr.length))
    if (lines > maxLines) throw new Error(`${lines} lines of log`)
    for (const socket of sockets) socket.destroy()
    start("n4", 3)
    await cluster.until("a node with the token joins", () => cluster.agree([...ids, "n4"]), 60_000)
    return `${sockets.length} hostile connections, nothing changed, at most ${lines} lines of log; then a node joined`
  } finally {
    delete process.env["SQUADRON_TOKEN"]
    for (const socket of sockets) socket.destroy()
    cluster.dispose()
  }
}
