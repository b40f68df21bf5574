CREATE MATERIALIZED VIEW IF NOT EXISTS label_values_feed ON CLUSTER main TO label_values_local
AS SELECT
    tenant,
    label.1 AS name,
    label.2 AS value,
    metric,
    min(series_local.t_min) AS t_min,
    max(series_local.t_max) AS t_max
FROM series_local
ARRAY JOIN arrayPushFront(arrayZip(arrayMap(k -> toString(k), mapKeys(labels)), mapValues(labels)), ('__name__', toString(metric))) AS label
GROUP BY
    tenant,
    name,
    value,
    metric
