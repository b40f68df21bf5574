CREATE TABLE IF NOT EXISTS schema_migrations ON CLUSTER main AS schema_migrations_local
ENGINE = Distributed('main', currentDatabase(), schema_migrations_local, version)
