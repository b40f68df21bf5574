CREATE TABLE IF NOT EXISTS logs ON CLUSTER main AS logs_local
ENGINE = Distributed('main', currentDatabase(), logs_local, stream_id)
