CREATE TABLE IF NOT EXISTS samples_5m ON CLUSTER main AS samples_5m_local
ENGINE = Distributed('main', currentDatabase(), samples_5m_local, id)
