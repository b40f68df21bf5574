CREATE MATERIALIZED VIEW sonde.label_values_feed TO sonde.label_values
(
    `tenant` LowCardinality(String),
    `name` String,
    `value` String,
    `metric` LowCardinality(String),
    `t_min` SimpleAggregateFunction(min, DateTime('UTC')),
    `t_max` SimpleAggregateFunction(max, DateTime('UTC'))
)
AS SELECT
    tenant,
    label.1 AS name,
    label.2 AS value,
    metric,
    min(series.t_min) AS t_min,
    max(series.t_max) AS t_max
FROM sonde.series
ARRAY JOIN arrayPushFront(arrayZip(arrayMap(k -> toString(k), mapKeys(labels)), mapValues(labels)), ('__name__', toString(metric))) AS label
GROUP BY
    tenant,
    name,
    value,
    metric
