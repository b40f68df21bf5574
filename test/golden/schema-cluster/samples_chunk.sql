CREATE TABLE IF NOT EXISTS samples_chunk ON CLUSTER main AS samples_chunk_local
ENGINE = Distributed('main', currentDatabase(), samples_chunk_local, id)
