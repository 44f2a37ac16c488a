/**
 * A network between real processes that can be cut: in front of every node stands a small TCP proxy, at an address
 * of its own in 127.0.0.0/8, and that address is the one which the node advertises. Who dials says so in the frame
 * that opens a connection; from then on each direction is a way from one node to another.
 *
 * What is sent into a cut is held, as TCP would send it again and again, and arrives in order when the cut ends;
 * after some seconds both ends learn that the connection timed out. A new connection is taken and then mute: a proxy
 * cannot leave a SYN unanswered. A node whose process has ended refuses connections, as its own port would.
 */
import { connect, createServer, type Server, type Socket } from "node:net"
import { once } from "node:events"
import { Result } from "effect"
import { decodeClusterMessage, Frame } from "../../src/index.ts"

/** Bytes that are held for longer end their connection. */
const unacknowledgedMs = 4000

interface Front {
  readonly host: string
  readonly port: number
  server: Server | undefined
}

/** Everything that comes from one socket goes to the other, unless their way is cut. */
interface Way {
  readonly from: Socket
  readonly to: Socket
  readonly name: string
  readonly held: Array<Buffer>
}

interface Pipe {
  readonly sockets: readonly [Socket, Socket]
  readonly ways: readonly [Way, Way]
  /** An end was lost while the other could not learn it. */
  isBroken: boolean
  timer: NodeJS.Timeout | undefined
}

/** The node that a frame comes from, by its own word. */
const speakerOf = (payload: Uint8Array): string => {
  const message = Result.getOrUndefined(decodeClusterMessage(payload))
  switch (message?.type) {
    case "JOIN_REQUEST":
      return message.nodeId
    case "HEARTBEAT":
      return message.senderId
    case "SPLIT_BRAIN_PROBE":
      return message.speaker?.nodeId ?? "a stranger"
    default:
      return "a stranger"
  }
}

const wayName = (from: string, to: string): string => `${from} → ${to}`

export class CuttingNetwork {
  private readonly fronts = new Map<string, Front>()
  private readonly cuts = new Set<string>()
  private readonly pipes = new Set<Pipe>()
  /** Dials whose opening frame is held: called when a cut ends. */
  private readonly waiting = new Set<() => void>()

  /** Puts a proxy in front of a node that listens at 127.0.0.1 and `port`. Gives the host to advertise. */
  async open(id: string, port: number): Promise<string> {
    const host = `127.77.0.${this.fronts.size + 1}`
    const front: Front = { host, port, server: undefined }
    this.fronts.set(id, front)
    await this.up(id)
    return host
  }
  /** Connections to the node are taken again: before its process starts. */
  async up(id: string): Promise<void> {
    const front = this.frontOf(id)
    if (front.server !== undefined) return
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(id, front, socket))
    front.server = server
    server.listen(front.port, front.host)
    await once(server, "listening")
  }
  /** The process of the node has ended: its address refuses. */
  down(id: string): void {
    const front = this.frontOf(id)
    front.server?.close()
    front.server = undefined
  }
  dispose(): void {
    for (const id of this.fronts.keys()) this.down(id)
    for (const pipe of this.pipes) this.break(pipe)
  }

  /** Nothing passes any more from one node to another. */
  cut(from: string, to: string): void {
    this.cuts.add(wayName(from, to))
  }
  /** All cuts end: what was held arrives. */
  heal(): void {
    this.cuts.clear()
    for (const pipe of this.pipes) {
      clearTimeout(pipe.timer)
      pipe.timer = undefined
      for (const { from, held, to } of pipe.ways) {
        for (const chunk of held.splice(0)) to.write(chunk)
        from.resume()
      }
      if (pipe.isBroken) this.break(pipe)
    }
    for (const retry of this.waiting) retry()
  }
  /** The connections between two nodes are reset. */
  reset(a: string, b: string): void {
    for (const pipe of this.pipes) {
      if (pipe.ways.some(({ name }) => name === wayName(a, b))) this.break(pipe)
    }
  }

  private frontOf(id: string): Front {
    const front = this.fronts.get(id)
    if (front === undefined) throw new Error(`no proxy in front of ${id}`)
    return front
  }

  private accept(id: string, front: Front, client: Socket): void {
    let opening = Buffer.alloc(0)
    client.on("error", () => client.destroy())
    const read = (chunk: Buffer): void => {
      opening = Buffer.concat([opening, chunk])
      const size = opening.length < Frame.headerBytes ? Infinity : opening.readUInt32BE(0) + Frame.headerBytes
      if (opening.length < size) return
      client.pause()
      client.off("data", read)
      this.forward(speakerOf(opening.subarray(Frame.headerBytes, size)), id, front, client, opening)
    }
    client.on("data", read)
  }

  /** Goes on to the node itself; not before the way is free. */
  private forward(from: string, to: string, front: Front, client: Socket, opening: Buffer): void {
    if (this.cuts.has(wayName(from, to))) {
      const retry = (): void => {
        clearTimeout(timer)
        this.waiting.delete(retry)
        if (!client.destroyed) this.forward(from, to, front, client, opening)
      }
      const timer = setTimeout(() => {
        this.waiting.delete(retry)
        client.resetAndDestroy()
      }, unacknowledgedMs)
      this.waiting.add(retry)
      return
    }
    const target = connect({ host: "127.0.0.1", port: front.port, allowHalfOpen: true, noDelay: true })
    target.on("error", () => target.destroy())
    target.write(opening)
    const ways: readonly [Way, Way] = [
      { from: client, to: target, name: wayName(from, to), held: [] },
      { from: target, to: client, name: wayName(to, from), held: [] }
    ]
    const pipe: Pipe = { sockets: [client, target], ways, isBroken: false, timer: undefined }
    this.pipes.add(pipe)
    for (const way of ways) this.carry(pipe, way)
    client.resume()
  }

  private carry(pipe: Pipe, way: Way): void {
    const { from, held, name, to } = way
    from.on("data", (chunk: Buffer) => {
      if (this.cuts.has(name)) {
        held.push(chunk)
        from.pause()
        pipe.timer ??= setTimeout(() => this.break(pipe), unacknowledgedMs)
      } else if (!to.write(chunk)) {
        from.pause()
        to.once("drain", () => {
          if (held.length === 0) from.resume()
        })
      }
    })
    from.on("end", () => to.end())
    from.on("close", () => {
      if (this.cuts.has(name)) pipe.isBroken = true
      else this.break(pipe)
    })
  }

  /** Both ends learn that the connection is over. */
  private break(pipe: Pipe): void {
    clearTimeout(pipe.timer)
    this.pipes.delete(pipe)
    for (const socket of pipe.sockets) if (!socket.destroyed) socket.resetAndDestroy()
  }
}
