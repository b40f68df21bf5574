CREATE TABLE IF NOT EXISTS scaling_signals ON CLUSTER main AS scaling_signals_local
ENGINE = Distributed('main', currentDatabase(), scaling_signals_local, cityHash64(tenant, name))
