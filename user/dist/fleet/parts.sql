-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The view parts: a row per call, and for how long it waited for whom: the client, the network,
-- the accept queue (queue_us), the server. The same for DuckDB and ClickHouse. Needs lines and
-- calls, and hosts whose synfin has --first-byte.
--
-- A call, here, is the beginning of a connection: from the client's SYN to the first byte that its
-- program reads.
--
--     client   SYN --- open ---- asks ------------------------------------ reads the answer
--              opened_us
--                      asked_us
--                      answered_us .......................................
--     server       SYN --- open ---- accept() ---- reads ---- replies
--                          accepted_us
--                          read_us ................
--                          replied_us .........................
--
-- Each length is of one host's clock. The server's "open" is one way later than the client's: so
-- long the ACK takes that ends the handshake. A request takes as long: it arrives asked_us after
-- the server's "open", too. Hence:
--
-- client_us   asked_us: it was connected and said nothing. None if its server spoke first.
-- queue_us    accepted_us - asked_us: there was something to do, and accept() was not called. What
--             lies in the queue before its client asks keeps nobody waiting.
-- server_us   what is left of replied_us: it had the connection, and the request had come.
-- network_us  opened_us + answered_us - replied_us: the round trip of the handshake, and that of
--             request and answer. If the client repeated a segment, also what the server waited
--             before it read.
--
-- That second trip ends when the client's program reads. If no segment was repeated, as much of it
-- is the network's as the shortest round trip that was measured, rtt_us. This one may have been
-- longer: TCP keeps a smoothed one, into which each goes by an eighth (RFC 6298), and of which
-- each later one takes an eighth away; so if five at most came after it, it was not longer than
-- rtt_us + 16 * (smoothed_rtt_us - rtt_us). What is beyond that is the client's: the answer was
-- there and its program did not read it. What is between the two is nobody's, untold_us; on a
-- longer connection all that is beyond rtt_us is.
--
-- A full accept queue drops SYNs, as a bad network does. If the listener told that it dropped some
-- just then (tcp.listen_overflow), what the repetition took is the queue's. If it could not tell, which its
-- synfin.stats has in hooks_missing, or if it is no host of this log, that is in network_us, and
-- in either_us as well.
--
-- What only one side tells, or what is told without first bytes, is taken as far as it goes:
-- is_whole is 0. Not in here: what comes after the first answer, and what failed to open. TLS
-- answers before it has seen a request.
CREATE OR REPLACE VIEW parts AS
WITH repeated AS (
    SELECT wire_id, server_host, service_port, begun_us, coalesce(opened_us, 0) AS opened_us
    FROM calls
    WHERE syns_repeated > 0 OR synacks_repeated > 0
),
-- whose listener dropped some while it was opened; it tells so at once, or within a second
dropped AS (
    SELECT repeated.wire_id AS wire_id, 1 AS has_dropped
    FROM repeated
    JOIN lines
        ON lines.host_name = repeated.server_host AND lines.server_port = repeated.service_port
    WHERE event_name = 'tcp.listen_overflow'
        AND time_us BETWEEN begun_us - opened_us - 2000000 AND begun_us + 2000000
    GROUP BY repeated.wire_id
),
sighted AS (
    SELECT host_name, 1 AS would_tell
    FROM lines
    WHERE event_name = 'synfin.stats'
    GROUP BY host_name
    HAVING count(*) FILTER (WHERE hooks_missing LIKE '%"syn_asked"%') = 0
),
heard AS (
    SELECT
        calls.wire_id AS wire_id,
        ended,
        coalesce(server_host, called_address) AS service,
        coalesce(service_port, called_port) AS port,
        client_host,
        server_process,
        opened_us,
        answered_us,
        read_us,
        replied_us,
        coalesce(accepted_us, 0) AS taken_us,
        CASE WHEN asked_us IS NOT NULL AND answered_us IS NULL THEN 1 ELSE 0 END AS is_unanswered,
        CASE
            WHEN client_host IS NOT NULL AND server_host IS NOT NULL AND opened_us IS NOT NULL
                AND answered_us IS NOT NULL AND accepted_us IS NOT NULL AND replied_us IS NOT NULL
            THEN 1 ELSE 0
        END AS is_whole,
        -- how long its client was silent when it was its turn
        CASE
            WHEN replied_us < read_us OR answered_us < asked_us THEN 0
            WHEN read_us IS NULL AND replied_us IS NOT NULL THEN 0
            ELSE coalesce(asked_us, 0)
        END AS silent_us,
        coalesce(syns_repeated, 0) + coalesce(synacks_repeated, 0) AS handshake_repeats,
        coalesce(requests_repeated, 0) AS request_repeats,
        coalesce(answers_repeated, 0) AS answer_repeats,
        coalesce(rtt_us, caller_rtt_us, 0) AS trip_us,
        -- of its segments one opened, one answered, and five may have been timed after; NULL: any
        CASE
            WHEN answer_segments <= 7 THEN rtt_us + 16 * greatest(smoothed_rtt_us - rtt_us, 0)
        END AS longest_trip_us,
        coalesce(dropped.has_dropped, 0) AS is_dropping,
        coalesce(sighted.would_tell, 0) AS is_sighted
    FROM calls
    LEFT JOIN dropped ON dropped.wire_id = calls.wire_id
    LEFT JOIN sighted ON sighted.host_name = calls.server_host
),
served AS (
    SELECT
        heard.*,
        taken_us - least(taken_us, silent_us) AS waited_us,
        greatest(taken_us, silent_us) AS ready_us,
        -- from when on it was the server's turn: not after it replied, as a request that took a
        -- shorter time than the ACK before it makes it look
        CASE
            WHEN read_us <= replied_us AND (is_whole = 0 OR request_repeats > 0)
            THEN least(greatest(read_us, taken_us, silent_us), replied_us)
            WHEN is_whole = 1 THEN least(greatest(taken_us, silent_us), replied_us)
            ELSE replied_us
        END AS turn_us
    FROM heard
),
travelled AS (
    SELECT
        served.*,
        greatest(coalesce(replied_us - turn_us, 0), 0) AS served_us,
        CASE
            WHEN is_whole = 1
            THEN greatest(opened_us + answered_us - replied_us, 0) + turn_us - ready_us
            ELSE coalesce(opened_us, 0)
                + least(trip_us, greatest(coalesce(answered_us - silent_us, 0), 0))
        END AS away_us
    FROM served
),
explained AS (
    SELECT
        travelled.*,
        CASE
            WHEN is_whole = 0 OR handshake_repeats + request_repeats + answer_repeats > 0
            THEN away_us
            ELSE least(away_us, opened_us + trip_us)
        END AS trips_us,
        CASE
            WHEN is_whole = 0 OR longest_trip_us IS NULL THEN 0
            WHEN handshake_repeats + request_repeats + answer_repeats > 0 THEN 0
            ELSE greatest(away_us - opened_us - longest_trip_us, 0)
        END AS unread_us,
        CASE
            WHEN handshake_repeats > 0 THEN greatest(away_us - 2 * trip_us, 0)
            ELSE 0
        END AS retried_us,
        greatest(
            silent_us + waited_us + served_us + away_us,
            coalesce(opened_us + answered_us, 0)
        ) AS all_us
    FROM travelled
)
SELECT
    wire_id,
    ended,
    service,
    port,
    client_host,
    server_process,
    is_whole,
    is_unanswered,
    all_us AS total_us,
    silent_us + unread_us AS client_us,
    trips_us - is_dropping * retried_us AS network_us,
    waited_us + is_dropping * retried_us AS queue_us,
    served_us AS server_us,
    all_us - silent_us - unread_us - trips_us - waited_us - served_us AS untold_us,
    (1 - is_dropping) * (1 - is_sighted) * retried_us AS either_us
FROM explained;
