/** As much of a Redis client as a benchmark needs: commands out, replies in their order, many under way. */
import { once } from "node:events"
import * as Net from "node:net"

export interface RedisClient {
  /** Written with all else that is sent in this turn of the event loop. An error reply rejects. */
  readonly send: (command: ReadonlyArray<string | Buffer>) => Promise<string>
  readonly close: () => void
}

interface Waiting {
  readonly resolve: (reply: string) => void
  readonly reject: (error: Error) => void
}

const encode = (command: ReadonlyArray<string | Buffer>): Buffer => {
  const parts: Array<Buffer> = [Buffer.from(`*${command.length}\r\n`)]
  for (const word of command) {
    const bytes = typeof word === "string" ? Buffer.from(word) : word
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"))
  }
  return Buffer.concat(parts)
}

export const connect = async (port: number): Promise<RedisClient> => {
  const socket = Net.connect({ host: "127.0.0.1", port, noDelay: true })
  await once(socket, "connect")
  const waiting: Array<Waiting> = []
  let first = 0
  let unread = Buffer.alloc(0)
  let outgoing: Array<Buffer> = []

  const answer = (reply: string, isError: boolean): void => {
    const next = waiting[first++]
    if (first === waiting.length) {
      waiting.length = 0
      first = 0
    }
    if (isError) next?.reject(new Error(`redis: ${reply}`))
    else next?.resolve(reply)
  }
  /** Where the reply at `start` ends; -1 when it is not all there. */
  const read = (start: number): number => {
    const lineEnd = unread.indexOf("\r\n", start)
    if (lineEnd < 0) return -1
    const line = unread.toString("latin1", start + 1, lineEnd)
    if (unread[start] !== 0x24) {
      answer(line, unread[start] === 0x2d)
      return lineEnd + 2
    }
    const end = lineEnd + 2 + Number(line)
    if (Number(line) < 0) {
      answer("", false)
      return lineEnd + 2
    }
    if (unread.length < end + 2) return -1
    answer(unread.toString("latin1", lineEnd + 2, end), false)
    return end + 2
  }
  socket.on("data", (chunk) => {
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk])
    let start = 0
    while (start < unread.length) {
      const end = read(start)
      if (end < 0) break
      start = end
    }
    unread = unread.subarray(start)
  })
  const fail = (): void => {
    for (const { reject } of waiting.splice(first)) reject(new Error("redis: the connection ended"))
  }
  socket.on("error", fail)
  socket.on("close", fail)
  const flush = (): void => {
    socket.write(Buffer.concat(outgoing))
    outgoing = []
  }
  return {
    send: (command) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
        if (outgoing.push(encode(command)) === 1) setImmediate(flush)
      }),
    close: () => socket.destroy()
  }
}
