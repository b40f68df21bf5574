CREATE TABLE IF NOT EXISTS alert_states ON CLUSTER main AS alert_states_local
ENGINE = Distributed('main', currentDatabase(), alert_states_local, cityHash64(tenant, namespace, rule_group))
