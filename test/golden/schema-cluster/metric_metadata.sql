CREATE TABLE IF NOT EXISTS metric_metadata ON CLUSTER main AS metric_metadata_local
ENGINE = Distributed('main', currentDatabase(), metric_metadata_local, cityHash64(tenant, metric))
