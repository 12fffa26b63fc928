-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The table lines: what the synfin of each host wrote with `--to file:...`, a row per line of
-- JSON. For ClickHouse; duckdb.sql is the same for DuckDB. Then the views of calls.sql and
-- parts.sql, and the questions: who-is-slow.sql, hosts.sql.
--
-- Files get into it by clickhouse-client, compressed or not:
--
--     INSERT INTO lines FROM INFILE '/srv/logs/*/synfin.jsonl'
--     SETTINGS date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1
--     FORMAT JSONEachRow
--
-- A field that a line does not have is not known: NULL. What the schema will have one day and this
-- table has not is left out. Lines are kept for 30 days.
CREATE TABLE IF NOT EXISTS lines (
    -- which line, of which host
    schema_version Nullable(Int32),
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD),
    event_name LowCardinality(String),
    seq Nullable(Int64),
    host_name LowCardinality(Nullable(String)),
    host_id LowCardinality(Nullable(String)),
    boot_id LowCardinality(Nullable(String)),
    -- which connection; wire_id is the same on both hosts
    connection_id Nullable(String),
    socket_cookie Nullable(String),
    wire_id Nullable(String),
    network_community_id Nullable(String),
    peer_connection_id Nullable(String),
    listener_connection_id Nullable(String),
    -- its ends
    role LowCardinality(Nullable(String)),
    role_source LowCardinality(Nullable(String)),
    client_address LowCardinality(Nullable(String)),
    client_port Nullable(Int32),
    server_address LowCardinality(Nullable(String)),
    server_port Nullable(Int32),
    network_transport LowCardinality(Nullable(String)),
    network_type LowCardinality(Nullable(String)),
    network_local_address LowCardinality(Nullable(String)),
    network_local_port Nullable(Int32),
    network_peer_address LowCardinality(Nullable(String)),
    network_peer_port Nullable(Int32),
    local_port_ephemeral Nullable(Bool),
    bound_interface_index Nullable(Int64),
    netns Nullable(Int64),
    -- whose
    process_pid Nullable(Int64),
    process_executable_name LowCardinality(Nullable(String)),
    process_owner_uid Nullable(Int64),
    process_source LowCardinality(Nullable(String)),
    closer_process_pid Nullable(Int64),
    closer_process_executable_name LowCardinality(Nullable(String)),
    peer_process_pid Nullable(Int64),
    peer_process_executable_name LowCardinality(Nullable(String)),
    peer_process_source LowCardinality(Nullable(String)),
    cgroup_id LowCardinality(Nullable(String)),
    -- what it was
    network_connection_state LowCardinality(Nullable(String)),
    network_connection_state_previous LowCardinality(Nullable(String)),
    preexisting Nullable(Bool),
    begin_unknown Nullable(Bool),
    syncookie Nullable(Bool),
    fastopen Nullable(Bool),
    defer_accept Nullable(Bool),
    connect_interrupted Nullable(Bool),
    -- when, and how long, in microseconds
    socket_time Nullable(DateTime64(9, 'UTC')),
    bind_time Nullable(DateTime64(9, 'UTC')),
    listen_time Nullable(DateTime64(9, 'UTC')),
    handshake_us Nullable(Int64),
    handshake_derived Nullable(Bool),
    accept_wait_us Nullable(Int64),
    first_sent_us Nullable(Int64),
    first_received_us Nullable(Int64),
    shutdown_call_us Nullable(Int64),
    close_call_us Nullable(Int64),
    fin_sent_us Nullable(Int64),
    fin_acked_us Nullable(Int64),
    fin_received_us Nullable(Int64),
    half_close_us Nullable(Int64),
    duration_us Nullable(Int64),
    duration_derived Nullable(Bool),
    connect_to_close_us Nullable(Int64),
    state_us Nullable(String),
    time_wait_us Nullable(Int64),
    -- how it ended
    closed_by LowCardinality(Nullable(String)),
    close_reason LowCardinality(Nullable(String)),
    close_reason_inferred Nullable(Bool),
    close_call LowCardinality(Nullable(String)),
    time_wait_end LowCardinality(Nullable(String)),
    rst_sender LowCardinality(Nullable(String)),
    rst_reason LowCardinality(Nullable(String)),
    rst_reason_inferred Nullable(Bool),
    rst_by LowCardinality(Nullable(String)),
    rst_state LowCardinality(Nullable(String)),
    error_type LowCardinality(Nullable(String)),
    never_accepted Nullable(Bool),
    orphan Nullable(Bool),
    -- amounts
    bytes_sent Nullable(Int64),
    bytes_received Nullable(Int64),
    segments_sent Nullable(Int64),
    segments_received Nullable(Int64),
    syn_retransmits Nullable(Int64),
    synack_retransmits Nullable(Int64),
    retransmits Nullable(Int64),
    retransmits_unsent Nullable(Int64),
    srtt_us Nullable(Int64),
    rtt_min_us Nullable(Int64),
    unread_bytes Nullable(Int64),
    zero_window_probes Nullable(Int64),
    -- of a listener
    listen_backlog Nullable(Int64),
    accept_queue Nullable(Int64),
    syns_dropped Nullable(Int64),
    acks_dropped Nullable(Int64),
    half_open_expired Nullable(Int64),
    -- of synfin.stats
    events_sent Nullable(Int64),
    events_lost Nullable(Int64),
    lost_ring Nullable(Int64),
    lost_ring_by_event Nullable(String),
    lost_map Nullable(Int64),
    lost_nested Nullable(Int64),
    lost_requests Nullable(Int64),
    waits_refused Nullable(Int64),
    hooks_missing LowCardinality(Nullable(String)),
    lag_us Nullable(Int64),
    clock_synchronized Nullable(Bool),
    clock_error_us Nullable(Int64),
    sinks Nullable(String),
    time_us Int64 ALIAS toUnixTimestamp64Micro(time)
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (event_name, host_name, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS allow_nullable_key = 1;
