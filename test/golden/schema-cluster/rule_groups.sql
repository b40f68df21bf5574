CREATE TABLE IF NOT EXISTS rule_groups ON CLUSTER main AS rule_groups_local
ENGINE = Distributed('main', currentDatabase(), rule_groups_local, cityHash64(tenant, namespace, name))
