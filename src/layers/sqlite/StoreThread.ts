/**
 * The thread of a store. SQLite works synchronously, so it has a thread of its own: a slow disk must not stop
 * heartbeats.
 */
import { parentPort, workerData } from "node:worker_threads"
import { serve } from "./StoreServer.ts"

if (parentPort !== null) serve(parentPort, workerData)
