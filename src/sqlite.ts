/** `effect-squadron/sqlite`: partitions that survive their process, in a file. */
export * as PartitionStoreSqlite from "./layers/PartitionStoreSqlite.ts"
