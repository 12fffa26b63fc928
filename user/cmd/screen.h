/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole terminal as a grid of lines, and its keys. ncurses is behind this
 * and nowhere else. Whatever signal ends the program, but SIGKILL, gives the
 * terminal back as it was. Ctrl-Z does nothing.
 */
#ifndef SF_CMD_SCREEN_H
#define SF_CMD_SCREEN_H

#include <stdbool.h>

enum sf_screen_look {
	SF_LOOK_PLAIN,
	SF_LOOK_TITLE,	/* bold */
	SF_LOOK_HEADER, /* of a table: reversed */
	SF_LOOK_PICKED, /* reversed */
	SF_LOOK_BAD,	/* red */
	SF_LOOK_BAD_PICKED,
	SF_LOOK_FAINT,
	SF_LOOK_NR,
};

/* Keys that are no character. */
enum sf_screen_key {
	SF_KEY_NONE = -1,
	SF_KEY_ENTER = '\n',
	SF_KEY_ESCAPE = 27,
	SF_KEY_UP = 0x100,
	SF_KEY_DOWN,
	SF_KEY_PAGE_UP,
	SF_KEY_PAGE_DOWN,
	SF_KEY_HOME,
	SF_KEY_END,
	SF_KEY_BACKSPACE,
	SF_KEY_OTHER,
};

/* Is ncurses in this program? Else sf_screen_open() gives -ENOSYS. */
bool sf_screen_is_built_in(void);
/*
 * Takes the terminal of standard input and output. 0; -ENOTTY: one of them is
 * no terminal; -ENOENT: TERM names none that is described; -ENOSYS.
 */
int sf_screen_open(bool is_coloured);
/* Gives it back. May be called twice, or without open. */
void sf_screen_close(void);
/* The terminal has another size now: asks it which. */
void sf_screen_resize(void);
unsigned int sf_screen_width(void);
unsigned int sf_screen_height(void);
/* An empty screen; nothing is seen of it before sf_screen_show(). */
void sf_screen_clear(void);
/* text: safe UTF-8, cut at the right edge. y: 0 is the first line; where there is none: nothing. */
void sf_screen_put(unsigned int y, enum sf_screen_look look, const char *text);
void sf_screen_show(void);
/* The next key that was pressed, a character or an enum sf_screen_key; SF_KEY_NONE: none. */
int sf_screen_key(void);

#endif
