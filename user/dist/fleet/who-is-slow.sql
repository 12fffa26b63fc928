-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Who is slow: the client, the network, the accept queue or the server? A row per service, those
-- that cost most first. The same for DuckDB and ClickHouse. Needs parts, which says how it is
-- known.
--
-- verdict     "ok": it has no more slow calls than it may have. Else for whom those waited most of
--             their time, percent of it. "network or accept queue": SYNs were lost, or dropped by
--             the full queue of a listener that could not tell. "unknown": too little is told, see
--             whole.
-- callers     hosts that called it
-- whole       calls that both sides told, with their first bytes
-- unanswered  calls whose client sent something and read nothing; a stream of logs may be such
-- ..._us      medians of all its calls, in microseconds
--
-- Which calls they are: SELECT * FROM parts WHERE port = 443 ORDER BY total_us DESC LIMIT 10. Told
-- apart by caller: put client_host into services, its GROUP BY, and the last SELECT.
WITH limits AS (
    -- A call is slow above slow_us, a service if slow_percent of its calls are.
    SELECT 100000 AS slow_us, 5 AS slow_percent
),
rated AS (
    SELECT
        parts.*,
        CASE WHEN total_us > limits.slow_us THEN 1 ELSE 0 END AS is_slow,
        limits.slow_percent AS percent
    FROM parts
    CROSS JOIN limits
),
services AS (
    SELECT
        service,
        port,
        max(server_process) AS process,
        count(DISTINCT client_host) AS callers,
        count(*) AS calls,
        sum(is_whole) AS whole,
        sum(is_unanswered) AS unanswered,
        sum(is_slow) AS slow,
        max(percent) AS slow_percent,
        floor(median(total_us)) AS mid_total_us,
        floor(median(client_us)) AS mid_client_us,
        floor(median(network_us)) AS mid_network_us,
        floor(median(queue_us)) AS mid_queue_us,
        floor(median(server_us)) AS mid_server_us,
        sum(is_slow * total_us) AS slow_us,
        sum(is_slow * client_us) AS slow_client_us,
        sum(is_slow * network_us) AS slow_network_us,
        sum(is_slow * queue_us) AS slow_queue_us,
        sum(is_slow * server_us) AS slow_server_us,
        sum(is_slow * untold_us) AS slow_untold_us,
        sum(is_slow * either_us) AS slow_either_us
    FROM rated
    GROUP BY service, port
),
blamed AS (
    SELECT
        services.*,
        greatest(slow_client_us, slow_network_us, slow_queue_us, slow_server_us, slow_untold_us)
            AS most_us
    FROM services
)
SELECT
    service,
    port,
    process,
    callers,
    calls,
    whole,
    unanswered,
    slow,
    CASE
        WHEN slow * 100 < calls * slow_percent OR slow = 0 THEN
            CASE WHEN whole * 100 >= calls * (100 - slow_percent) THEN 'ok' ELSE 'unknown' END
        WHEN most_us = slow_untold_us THEN 'unknown'
        WHEN most_us = slow_network_us THEN
            CASE
                WHEN slow_either_us * 2 > slow_network_us THEN 'network or accept queue'
                ELSE 'network'
            END
        WHEN most_us = slow_queue_us THEN 'accept queue'
        WHEN most_us = slow_server_us THEN 'server'
        ELSE 'client'
    END AS verdict,
    CASE WHEN slow > 0 THEN floor(100 * most_us / slow_us) END AS percent,
    mid_total_us AS total_us,
    mid_client_us AS client_us,
    mid_network_us AS network_us,
    mid_queue_us AS queue_us,
    mid_server_us AS server_us
FROM blamed
ORDER BY slow_us DESC, service, port;
