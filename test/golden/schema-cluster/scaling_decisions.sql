CREATE TABLE IF NOT EXISTS scaling_decisions ON CLUSTER main AS scaling_decisions_local
ENGINE = Distributed('main', currentDatabase(), scaling_decisions_local, cityHash64(tenant, signal))
