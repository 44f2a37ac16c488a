/**
 * A message between threads copies all of the memory that its bytes are views of. Encoded records and what a socket
 * delivered share large pieces of memory, so they are cut out first.
 */
import type { MapOperation } from "../../domain/data/MapOperation.ts"
import type { DeltaOp } from "../../domain/wire/PartitionMessages.ts"
import type { Request } from "./Requests.ts"

const compactBytes = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)

export const compactDelta = ({ entry, key, mapName }: DeltaOp): DeltaOp => ({
  mapName,
  key,
  entry: compactBytes(entry)
})

const compactOperation = (operation: MapOperation): MapOperation => {
  switch (operation.type) {
    case "put":
    case "add":
      return { ...operation, value: compactBytes(operation.value) }
    case "remove":
      return operation.value === undefined ? operation : { ...operation, value: compactBytes(operation.value) }
    case "delete":
      return operation
  }
}

/** The same request in memory of its own. */
export const compactRequest = (request: Request): Request => {
  switch (request.type) {
    case "merge":
      return { ...request, chunk: { ...request.chunk, data: compactBytes(request.chunk.data) } }
    case "apply":
      return { ...request, deltas: request.deltas.map(compactDelta) }
    case "write":
      return { ...request, operations: request.operations.map(compactOperation) }
    case "setNote":
      return { ...request, note: compactBytes(request.note) }
    default:
      return request
  }
}
