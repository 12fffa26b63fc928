-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The table lines: what the synfin of each host wrote with `--to file:...`, a row per line of
-- JSON. For DuckDB; clickhouse.sql is the same for ClickHouse. Then the views of calls.sql and
-- parts.sql, and the questions: who-is-slow.sql, hosts.sql.
--
-- Say before where the files are, compressed or not:
--
--     SET VARIABLE files = '/srv/logs/*/synfin.jsonl*';
--
-- A field that a line does not have is not known: NULL. What the schema will have one day and this
-- table has not is left out. A line that is cut off is an error, not a row less.
CREATE OR REPLACE TABLE lines AS
SELECT
    *,
    epoch_us(time) AS time_us
FROM read_json(getvariable('files'), format = 'newline_delimited', columns = {
    -- which line, of which host
    schema_version: 'INTEGER',
    time: 'TIMESTAMP_NS',
    event_name: 'VARCHAR',
    seq: 'BIGINT',
    host_name: 'VARCHAR',
    host_id: 'VARCHAR',
    boot_id: 'VARCHAR',
    -- which connection; wire_id is the same on both hosts
    connection_id: 'VARCHAR',
    socket_cookie: 'VARCHAR',
    wire_id: 'VARCHAR',
    network_community_id: 'VARCHAR',
    peer_connection_id: 'VARCHAR',
    listener_connection_id: 'VARCHAR',
    -- its ends
    role: 'VARCHAR',
    role_source: 'VARCHAR',
    client_address: 'VARCHAR',
    client_port: 'INTEGER',
    server_address: 'VARCHAR',
    server_port: 'INTEGER',
    network_transport: 'VARCHAR',
    network_type: 'VARCHAR',
    network_local_address: 'VARCHAR',
    network_local_port: 'INTEGER',
    network_peer_address: 'VARCHAR',
    network_peer_port: 'INTEGER',
    local_port_ephemeral: 'BOOLEAN',
    bound_interface_index: 'BIGINT',
    netns: 'BIGINT',
    -- whose
    process_pid: 'BIGINT',
    process_executable_name: 'VARCHAR',
    process_owner_uid: 'BIGINT',
    process_source: 'VARCHAR',
    closer_process_pid: 'BIGINT',
    closer_process_executable_name: 'VARCHAR',
    peer_process_pid: 'BIGINT',
    peer_process_executable_name: 'VARCHAR',
    peer_process_source: 'VARCHAR',
    cgroup_id: 'VARCHAR',
    -- what it was
    network_connection_state: 'VARCHAR',
    network_connection_state_previous: 'VARCHAR',
    preexisting: 'BOOLEAN',
    begin_unknown: 'BOOLEAN',
    syncookie: 'BOOLEAN',
    fastopen: 'BOOLEAN',
    defer_accept: 'BOOLEAN',
    connect_interrupted: 'BOOLEAN',
    -- when, and how long, in microseconds
    socket_time: 'TIMESTAMP_NS',
    bind_time: 'TIMESTAMP_NS',
    listen_time: 'TIMESTAMP_NS',
    handshake_us: 'BIGINT',
    handshake_derived: 'BOOLEAN',
    accept_wait_us: 'BIGINT',
    first_sent_us: 'BIGINT',
    first_received_us: 'BIGINT',
    shutdown_call_us: 'BIGINT',
    close_call_us: 'BIGINT',
    fin_sent_us: 'BIGINT',
    fin_acked_us: 'BIGINT',
    fin_received_us: 'BIGINT',
    half_close_us: 'BIGINT',
    duration_us: 'BIGINT',
    duration_derived: 'BOOLEAN',
    connect_to_close_us: 'BIGINT',
    state_us: 'JSON',
    time_wait_us: 'BIGINT',
    -- how it ended
    closed_by: 'VARCHAR',
    close_reason: 'VARCHAR',
    close_reason_inferred: 'BOOLEAN',
    close_call: 'VARCHAR',
    time_wait_end: 'VARCHAR',
    rst_sender: 'VARCHAR',
    rst_reason: 'VARCHAR',
    rst_reason_inferred: 'BOOLEAN',
    rst_by: 'VARCHAR',
    rst_state: 'VARCHAR',
    error_type: 'VARCHAR',
    never_accepted: 'BOOLEAN',
    orphan: 'BOOLEAN',
    -- amounts
    bytes_sent: 'BIGINT',
    bytes_received: 'BIGINT',
    segments_sent: 'BIGINT',
    segments_received: 'BIGINT',
    syn_retransmits: 'BIGINT',
    synack_retransmits: 'BIGINT',
    retransmits: 'BIGINT',
    retransmits_unsent: 'BIGINT',
    srtt_us: 'BIGINT',
    rtt_min_us: 'BIGINT',
    unread_bytes: 'BIGINT',
    zero_window_probes: 'BIGINT',
    -- of a listener
    listen_backlog: 'BIGINT',
    accept_queue: 'BIGINT',
    syns_dropped: 'BIGINT',
    acks_dropped: 'BIGINT',
    half_open_expired: 'BIGINT',
    -- of synfin.stats
    events_sent: 'BIGINT',
    events_lost: 'BIGINT',
    lost_ring: 'BIGINT',
    lost_ring_by_event: 'JSON',
    lost_map: 'BIGINT',
    lost_nested: 'BIGINT',
    lost_requests: 'BIGINT',
    waits_refused: 'BIGINT',
    hooks_missing: 'JSON',
    lag_us: 'BIGINT',
    clock_synchronized: 'BOOLEAN',
    clock_error_us: 'BIGINT',
    sinks: 'JSON'
});
