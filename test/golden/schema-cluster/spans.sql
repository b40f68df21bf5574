CREATE TABLE IF NOT EXISTS spans ON CLUSTER main AS spans_local
ENGINE = Distributed('main', currentDatabase(), spans_local, cityHash64(trace_id))
