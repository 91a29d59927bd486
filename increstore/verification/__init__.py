"""Does a restored target hold what the chain says? Answered by another way than the restore.

Rules of this package:
- It shares no code with the restore: of the chain it uses the words of the format (`manifest`,
  `schema`), and no keys, folding, merging, digest or store. `import-linter` keeps that.
- The restore sorts, folds newest first and streams by shard; this package numbers the keys of a
  range through a hash table and applies backup after backup, in chain order, by scattering row
  positions. A fault common to both would have to be made twice.
- Nothing is believed that can be measured: key ranges come from reading the key columns, not from
  manifests or Parquet statistics; every row of every input is visited exactly once.

The walk: `history` (what the backups say) and `target` (what was restored) name files; `data_file`
reads them; `ranges` cuts the key space into parts that fit in memory; `numbering` gives each key of
a part a number; `state` applies the chain; `compare` finds the differences; `report` shows them.
"""
