"""The way from raw documents to refined ones, shard by shard, with a ledger."""
