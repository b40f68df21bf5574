CREATE TABLE IF NOT EXISTS series ON CLUSTER main AS series_local
ENGINE = Distributed('main', currentDatabase(), series_local, id)
