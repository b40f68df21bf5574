CREATE TABLE IF NOT EXISTS landed_batches ON CLUSTER main AS landed_batches_local
ENGINE = Distributed('main', currentDatabase(), landed_batches_local, cityHash64(tenant, batch))
