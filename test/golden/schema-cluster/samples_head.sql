CREATE TABLE IF NOT EXISTS samples_head ON CLUSTER main AS samples_head_local
ENGINE = Distributed('main', currentDatabase(), samples_head_local, id)
