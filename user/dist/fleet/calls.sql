-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The view calls: a row per connection, put together from the lines of its two hosts. The same for
-- DuckDB and ClickHouse; needs lines.
--
-- They are joined by wire_id, the two initial sequence numbers: NAT changes addresses and ports,
-- so that neither those nor network_community_id are the same on both sides, but leaves sequence
-- numbers alone. A proxy ends a connection and begins another: two rows. No clock is compared with
-- that of another host. A line that came twice, as syslog over TCP may send it, changes nothing.
--
-- Of a side that no host of the log tells all is NULL: client_host, or server_host.
CREATE OR REPLACE VIEW calls AS
SELECT
    wire_id,
    max(time) AS ended,

    -- As the client has it.
    max(host_name) FILTER (WHERE role = 'client') AS client_host,
    max(process_executable_name) FILTER (WHERE role = 'client') AS client_process,
    max(client_address) FILTER (WHERE role = 'client') AS caller_address,
    max(client_port) FILTER (WHERE role = 'client') AS caller_port,
    max(server_address) FILTER (WHERE role = 'client') AS called_address,
    max(server_port) FILTER (WHERE role = 'client') AS called_port,
    -- SYN sent to SYN+ACK received: a round trip, and the wait if the SYN had to be repeated
    max(handshake_us) FILTER (WHERE role = 'client') AS opened_us,
    -- from then on until its program first sent, and first read
    max(first_sent_us) FILTER (WHERE role = 'client') AS asked_us,
    max(first_received_us) FILTER (WHERE role = 'client') AS answered_us,
    max(syn_retransmits) FILTER (WHERE role = 'client') AS syns_repeated,
    max(retransmits) FILTER (WHERE role = 'client') AS requests_repeated,
    max(rtt_min_us) FILTER (WHERE role = 'client') AS caller_rtt_us,

    -- As the server has it: behind NAT these are other addresses and ports.
    max(host_name) FILTER (WHERE role = 'server') AS server_host,
    max(process_executable_name) FILTER (WHERE role = 'server') AS server_process,
    max(server_address) FILTER (WHERE role = 'server') AS service_address,
    max(server_port) FILTER (WHERE role = 'server') AS service_port,
    max(client_address) FILTER (WHERE role = 'server') AS source_address,
    max(client_port) FILTER (WHERE role = 'server') AS source_port,
    -- when its SYN+ACK left, by the server's clock, since 1970; where its end was not seen, from
    -- when it was told: at the call that closed it, or when that FIN was acknowledged
    max(time_us - coalesce(duration_us, greatest(coalesce(close_call_us, fin_acked_us),
                                                 coalesce(fin_acked_us, close_call_us)) +
                                        coalesce(handshake_us, 0)))
        FILTER (WHERE role = 'server') AS begun_us,
    -- from the handshake's last ACK on until accept() had it (if never: until it ended), until its
    -- program first read, and first sent
    max(CASE WHEN never_accepted THEN duration_us ELSE accept_wait_us END)
        FILTER (WHERE role = 'server') AS accepted_us,
    max(first_received_us) FILTER (WHERE role = 'server') AS read_us,
    max(first_sent_us) FILTER (WHERE role = 'server') AS replied_us,
    max(synack_retransmits) FILTER (WHERE role = 'server') AS synacks_repeated,
    max(retransmits) FILTER (WHERE role = 'server') AS answers_repeated,
    max(segments_sent) FILTER (WHERE role = 'server') AS answer_segments,
    max(rtt_min_us) FILTER (WHERE role = 'server') AS rtt_us,
    max(srtt_us) FILTER (WHERE role = 'server') AS smoothed_rtt_us
FROM lines
WHERE event_name = 'tcp.close' AND wire_id IS NOT NULL
GROUP BY wire_id;
