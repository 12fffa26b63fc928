/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows from one socket record (bpf/sock.h): queue lengths as people
 * count them, and the story it amounts to. Pure. Each function that may not
 * know returns false and leaves *ret alone.
 */
#ifndef SF_STORY_SOCK_H
#define SF_STORY_SOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/sock.h"

/* Every enum in its range, so that it may index a table. */
bool sf_sock_is_sane(const struct sf_sock *sock);

/* Bytes of data; a FIN, which takes a sequence number too, does not count. */
uint32_t sf_sock_send_queue(const struct sf_sock *sock); /* sent or not, not acknowledged */
uint32_t sf_sock_not_sent(const struct sf_sock *sock);
uint32_t sf_sock_receive_queue(const struct sf_sock *sock);

/* Of a listener: whether its accept queue takes no more, so that handshakes are dropped. */
bool sf_sock_is_full(const struct sf_sock *sock);

/* Whether our SYN, or our FIN, is still to be acknowledged. */
bool sf_sock_is_fin_unacked(const struct sf_sock *sock);

/*
 * The state that a person would name: TIME_WAIT sockets also stand for an
 * orphan's FIN_WAIT2, and a handshake is SYN_RECV.
 */
uint8_t sf_sock_state(const struct sf_sock *sock);

/*
 * The story of a socket that nobody watched: its ends, its state, its
 * counters, no steps. Role and owner are the caller's to add. The id is the
 * same at every look, and not the one that tracing gives it.
 */
void sf_sock_story(const struct sf_sock *sock, struct sf_story *ret);

/* "retransmit", "keepalive", "probe0", "time_wait" of an enum sf_timer; NULL for none. */
const char *sf_timer_name(unsigned int timer);

#endif
