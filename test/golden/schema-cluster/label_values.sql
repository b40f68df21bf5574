CREATE TABLE IF NOT EXISTS label_values ON CLUSTER main AS label_values_local
ENGINE = Distributed('main', currentDatabase(), label_values_local, cityHash64(tenant, name, value))
