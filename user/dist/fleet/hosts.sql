-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What the log has of each host, and what it lacks: lines, ends of connections, of how many of
-- them the other end is told as well (by another host, or the same), when it was last heard of,
-- and what it said to have lost since it was last started. The same for DuckDB and ClickHouse;
-- needs lines.
WITH joined AS (
    SELECT wire_id, 1 AS is_joined
    FROM lines
    WHERE event_name = 'tcp.close' AND wire_id IS NOT NULL
    GROUP BY wire_id
    HAVING count(DISTINCT role) = 2
)
SELECT
    host_name,
    count(*) AS lines,
    count(*) FILTER (WHERE event_name = 'tcp.close') AS ended,
    sum(CASE WHEN event_name = 'tcp.close' THEN coalesce(is_joined, 0) ELSE 0 END) AS joined,
    count(*) FILTER (WHERE event_name = 'tcp.failed') AS failed,
    max(time) AS last_line,
    argMax(events_lost, time) FILTER (WHERE event_name = 'synfin.stats') AS events_lost
FROM lines
LEFT JOIN joined ON joined.wire_id = lines.wire_id
GROUP BY host_name
ORDER BY host_name;
