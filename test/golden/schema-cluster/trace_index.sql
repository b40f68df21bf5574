CREATE TABLE IF NOT EXISTS trace_index ON CLUSTER main AS trace_index_local
ENGINE = Distributed('main', currentDatabase(), trace_index_local, cityHash64(trace_id))
